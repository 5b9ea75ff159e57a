"""A real load process with several kinds of jobs, with readers, and with a recorded run to repeat."""

import subprocess
from collections import Counter

from loadtests import launch
from loadtests.mix import make
from loadtests.mix import parse as parse_mix
from reports.evidence import SUBMISSIONS, read

CHOSEN = ["EmailUser", "AddUser", "GreetUser", "StatusReader"]
MIX = "email=8,add=1,greet=1,read=2"


def test_the_chosen_classes_are_the_mix_of_every_process(standin, tmp_path):
    api = standin()
    spec = launch.LoadSpec(api.url, 160.0, 1, "t1", tmp_path, for_s=0.5, processes=2)
    with launch.held_port() as held:
        words = launch.argv(spec, held.getsockname()[1])
        at = words.index("--mix")
        words = [*words[:at], *words[at + 2 :], *CHOSEN]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    evidence = read(tmp_path / SUBMISSIONS)
    assert evidence.problems == []
    mix = parse_mix(MIX)
    jobs = [make("t1", 1, number, mix.kind(1, number)) for number in range(80)]
    assert len({job.request["kind"] for job in jobs}) == 3
    records = {
        due["key"]: {name: due[name] for name in ("to", "digest", "kind", "mail_key") if name in due}
        for due in evidence.records
        if due["event"] == "due"
    }
    assert records == {job.key: job.record for job in jobs}
    assert {seen.key: seen.body for seen in api.posts()} == {job.key: job.request for job in jobs}
    starts = [record for record in evidence.records if record["event"] == "load_start"]
    assert [start["model"] for start in starts] == ["open", "open"]
    # The order of Locust's classes is its own.
    assert [dict(parse_mix(start["mix"]).weights) for start in starts] == [dict(mix.weights)] * 2
    check_reads(api, evidence.records)


def check_reads(api, records):
    """Every read of a job is on record, under the id that this job has."""
    reads = Counter(seen.path.split("?")[0] for seen in api.seen if seen.method == "GET")
    assert reads["/jobs"] > 0
    statuses = [record for record in records if record["event"] == "status"]
    assert len(statuses) == reads.total() - reads["/jobs"] > 0
    ids = {record["key"]: record["id"] for record in records if record["event"] == "ok"}
    assert all(ids[record["key"]] == record["id"] for record in statuses)


def test_a_recorded_run_is_offered_again(standin, load, tmp_path):
    first_api = standin()
    first = load(target=first_api.url, for_s=0.6, rate_per_s=80.0, arrivals="poisson", mix="email=3,add=1")
    assert first.wait() == 0
    again_api = standin()
    folder = tmp_path / "again"
    replay = f"replay:{first.folder},speed=2"
    again = load(target=again_api.url, arrivals=replay, run="t2", evidence_dir=folder, seed=99)
    assert again.process.wait(60) == 0
    new = [record for record in read(folder / SUBMISSIONS).records if record["event"] == "due"]
    old = first.records("due")
    assert [(due["key"][2:], due.get("kind")) for due in new] == [
        (due["key"][2:], due.get("kind")) for due in old
    ]
    assert len({due.get("kind") for due in new}) == 2
    for due, before in zip(new, old, strict=True):
        gap_ns, old_gap_ns = (
            one["due_mono_ns"] - all_[0]["due_mono_ns"] for one, all_ in ((due, new), (before, old))
        )
        assert abs(gap_ns - old_gap_ns / 2) < 1e3
    bodies = [
        {seen.key[2:]: str(seen.body).replace(run, "") for seen in api.posts()}
        for api, run in ((first_api, "t1"), (again_api, "t2"))
    ]
    assert bodies[0] == bodies[1]
