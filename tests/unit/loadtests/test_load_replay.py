"""A replay offers what is on record, whoever wrote it, and says why when it cannot."""

import json

import pytest

from loadtests.arrivals import ArrivalsError, described, numbered, parse
from reports.evidence import SUBMISSIONS, Appender

EPOCH_NS = 1_700_000_000_000_000_000


class Tape:
    """A submissions.jsonl with clocks as they please."""

    def __init__(self, folder):
        self.path = folder / SUBMISSIONS
        self.counts = {}

    def write(self, event, writer="load-1", mono_s=1000.0, wall_less_mono_s=0.0, run="r", **fields):
        seq = self.counts[writer] = self.counts.get(writer, -1) + 1
        mono_ns = int(mono_s * 1e9)
        record = {"run": run, "writer": writer, "seq": seq, "mono_ns": mono_ns, "pid": 1, "event": event}
        record["wall_ns"] = EPOCH_NS + mono_ns + int(wall_less_mono_s * 1e9)
        with self.path.open("a") as file:
            file.write(json.dumps(record | fields) + "\n")

    def start(self, **more):
        self.write("load_start", **{"seed": 7, "rate_per_s": 10.0, **more})

    def due(self, number, at_s, **more):
        self.write("due", key=f"r-{number:06d}", due_mono_ns=int(at_s * 1e9), **more)


@pytest.fixture
def tape(tmp_path):
    return Tape(tmp_path)


def jobs(spec):
    return [(number, round(at, 6)) for number, at in numbered(parse(spec, 1.0, 1), 0)]


def test_the_same_gaps_numbers_kinds_and_seed(tape):
    tape.start()
    for number, at_s, more in ((0, 1000.5, {}), (1, 1000.75, {"kind": "greet"}), (3, 1004.5, {})):
        tape.due(number, at_s, **more)
    schedule = parse(f"replay:{tape.path.parent}", 99.0, 1)
    assert jobs(f"replay:{tape.path.parent}") == [(0, 0.0), (1, 0.25), (3, 4.0)]
    assert (schedule.seed, schedule.rate_per_s) == (7, 0.75)
    assert schedule.recorded.kinds == {1: "greet"}
    assert jobs(f"replay:{tape.path}") == jobs(f"replay:{tape.path.parent}")


def test_speed(tape):
    tape.start()
    tape.due(0, 1000.0)
    tape.due(1, 1004.0)
    assert jobs(f"replay:{tape.path},speed=2") == [(0, 0.0), (1, 2.0)]
    assert parse(f"replay:{tape.path},speed=2", 1.0).rate_per_s == 1.0


def test_for_s_cuts_it(tape):
    tape.start()
    for number in range(5):
        tape.due(number, 1000.0 + number)
    assert [number for number, _ in numbered(parse(f"replay:{tape.path}", 1.0), 2.5)] == [0, 1, 2]


def test_the_description_reads_back(tape):
    tape.start()
    tape.due(0, 1000.0)
    tape.due(1, 1003.0)
    for spec in (f"replay:{tape.path}", f"replay:{tape.path},speed=2.5"):
        schedule = parse(spec, 1.0)
        assert str(schedule).startswith(f"{spec} at ")
        assert described(str(schedule)) == schedule


def test_writers_of_one_host_share_a_clock(tape):
    # The difference of the two clocks is read a little differently by each process: it must not move a job.
    tape.start(writer="load-1")
    tape.start(writer="load-2", wall_less_mono_s=0.003)
    tape.due(1, 1000.1, writer="load-2", wall_less_mono_s=0.003)
    tape.due(0, 1000.0, writer="load-1")
    tape.due(2, 1000.2, writer="load-1")
    assert jobs(f"replay:{tape.path}") == [(0, 0.0), (1, 0.1), (2, 0.2)]


def test_writers_of_two_hosts_are_compared_by_the_wall_clock(tape):
    tape.start(writer="load-1", mono_s=1000.0)
    tape.start(writer="load-2", mono_s=50.0, wall_less_mono_s=950.0)
    tape.due(0, 1000.0, writer="load-1")
    tape.due(1, 50.1, writer="load-2", mono_s=50.0)
    tape.due(2, 1000.2, writer="load-1")
    assert jobs(f"replay:{tape.path}") == [(0, 0.0), (1, 0.1), (2, 0.2)]


def test_what_the_load_itself_writes_can_be_replayed(tmp_path):
    appender = Appender(tmp_path / SUBMISSIONS, "r", "load")
    appender.append("load_start", rate_per_s=2.0, seed=3, target="http://x", schedule="constant")
    for number in range(3):
        appender.append_later("due", {"key": f"r-{number:06d}", "due_mono_ns": 10**9 + number * 10**8})
    appender.flush()
    appender.close()
    assert jobs(f"replay:{tmp_path}") == [(0, 0.0), (1, 0.1), (2, 0.2)]


def missing(tape):
    pass


def torn(tape):
    tape.start()
    tape.due(0, 1000.0)
    with tape.path.open("a") as file:
        file.write('{"run": "r"')


def gap(tape):
    tape.start()
    tape.due(0, 1000.0)
    tape.counts["load-1"] += 1
    tape.due(1, 1000.5)


def empty(tape):
    tape.path.touch()


def no_start(tape):
    tape.due(0, 1000.0)


def two_runs(tape):
    tape.start()
    tape.start(writer="load-2", run="other")
    tape.due(0, 1000.0)


def no_time(tape):
    tape.start()
    tape.write("due", key="r-000000")


def no_number(tape):
    tape.start()
    tape.write("due", key="r-x", due_mono_ns=1)


def too_fast(tape):
    tape.start()
    tape.due(0, 1000.0)
    tape.due(1, 1000.1)


@pytest.mark.parametrize(
    ("damage", "more", "words"),
    [
        (missing, "", "No such file.*name a run's folder"),
        (torn, "", "is damaged: .*truncated"),
        (gap, "", "is damaged: .*record 3 stands where 2 belongs"),
        (empty, "", "records no job"),
        (no_start, "", "without the load_start"),
        (two_runs, "", "more than one run"),
        (no_time, "", "cannot be understood"),
        (no_number, "", "cannot be understood"),
        (too_fast, ",speed=1e6", "too many"),
        (too_fast, ",speed=0", "speed must be above 0"),
        (too_fast, ",speed=x", "speed must be a number"),
    ],
)
def test_what_cannot_be_replayed_is_refused_in_words(tape, damage, more, words):
    damage(tape)
    with pytest.raises(ArrivalsError, match=words):
        parse(f"replay:{tape.path}{more}", 1.0)
