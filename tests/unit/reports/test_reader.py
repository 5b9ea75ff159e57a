"""The fast way to read a line and the slow one: whatever stands in it, both lead to the same verdict."""

from __future__ import annotations

import gc
import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmarks import synthetic
from reports import evidence, pick
from reports.evidence import DELIVERIES, FILES, LEDGER, SUBMISSIONS
from reports.intake import load
from reports.verdict import judge

from .runs import Run, key

HEAD = {"run": "t-1", "writer": "w", "seq": 0, "wall_ns": 1, "mono_ns": 1, "event": "note"}
ODD = st.sampled_from(
    [
        *(None, True, -1, 0, 1.5, -0.0, "", "x", [], {}, [[]], {"a": None}),
        *(2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30, 10**400, -(2**63), -(2**63) - 1, -(10**30)),
        *(float("nan"), float("inf"), 1e19, 1e300, "\ud800", "\u00e9\n", "9" * 40),
    ]
)


def decided(verdict):
    """All that a verdict says, but for the words: what Python says of a wrong type names that type."""
    checks = [(check.name, check.verdict, check.count, check.keys) for check in verdict.checks]
    return checks, verdict.counts, verdict.latency_s, verdict.kills, verdict.trails.keys(), verdict.timeline


def slowly(line):
    """Read a line as it was always read."""
    return evidence._parse_lenient(line)


@given(st.dictionaries(st.sampled_from([*HEAD, "key", "more"]), ODD))
@example({"seq": 10**20})
@example({"mono_ns": 2**63})
@settings(max_examples=200, deadline=None)
def test_a_record_is_one_for_both(changes):
    line = json.dumps({**HEAD, **changes}).encode() + b"\n"
    fast, slow = evidence.parse(line), slowly(line)
    assert (fast is None) == (slow is None)
    if fast is not None:
        assert {name: fast[name] for name in HEAD} == {name: slow[name] for name in HEAD}


@given(st.binary(max_size=60))
@example(b"\xff")
@example(b"\xef\xbb\xbf{}")
@example("{}".encode("utf-16"))
@example(b"[" * 100_000)
@example(b'{"run":' * 2000)
@settings(max_examples=200, deadline=None)
def test_what_is_no_record_is_none_for_both(line):
    assert evidence.parse(line) is None
    assert slowly(line) is None


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_verdict_is_the_same(name, tmp_path, monkeypatch, data):
    run = Run.sound(jobs=3, chores=1)
    run.limits(min_accepted=1)
    run.fault()
    run.kill(1.2)
    record = data.draw(st.sampled_from(run.files[name]))
    field = data.draw(st.sampled_from(sorted(record.keys() - {"at_s", "writer", "trail"})))
    record[field] = data.draw(ODD)
    folder = run.write(tmp_path)
    fast = decided(judge(folder))
    with monkeypatch.context() as patch:
        patch.setattr(evidence, "parse", slowly)
        patch.setattr(pick, "parse", slowly)
        assert decided(judge(folder)) == fast


def test_the_collector_is_left_as_it_was(tmp_path):
    folder = Run.sound().write(tmp_path)
    assert gc.isenabled()
    judge(folder)
    assert gc.isenabled()
    gc.disable()
    try:
        judge(folder)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_session_and_a_worker_are_kept_once(tmp_path):
    """A million mails come over a few sessions of a few workers: one name for each must do."""
    run = Run.sound()
    for number in range(10):
        run.find(DELIVERIES, "stored", key=key(number))["session"] = "s0"
    run.write(tmp_path)

    copies = [copy for job in load(tmp_path).jobs.values() for copy in job.copies]
    assert len({id(copy.session) for copy in copies}) == len({id(copy.worker) for copy in copies}) == 1


def test_a_synthetic_run_is_what_it_says(tmp_path):
    """The benchmark's evidence: whole, with these findings and no others, and trails for exactly those."""
    size = synthetic.write(tmp_path, 300)
    assert size == sum(path.stat().st_size for path in tmp_path.iterdir())
    verdict = judge(tmp_path)
    found = {check.name: check.count for check in verdict.checks if check.verdict != "pass"}
    assert found == {"lost": synthetic.ODD, "duplicate": synthetic.ODD}
    assert {*verdict.trails} == {f"{synthetic.RUN}-{n:06d}" for n in (20, 21, 22, 50, 51, 52)}
    assert verdict.counts["in_flight_at_kill"] == 2 * synthetic.CAUGHT
    first = json.loads((tmp_path / SUBMISSIONS).read_text().splitlines()[1])
    assert set(first) == {*HEAD, "pid", "key", "due_mono_ns", "to", "digest"}
    assert (tmp_path / LEDGER).read_text().count('"event":"job"') == 300
