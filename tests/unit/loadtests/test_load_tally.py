"""What the tally counts, what it tells of each step, and that no record passes it changed."""

import itertools
import tracemalloc

import pytest

from loadtests.figures import LARGEST, SUMS, Collected, put, together
from loadtests.tally import Tally

WALL_S = 1_763_740_000.0


class Scene:
    """A tally with clocks that stand still until they are set; the wall clock is ahead by a fixed amount."""

    def __init__(self, run="r1", **how):
        self.records, self.steps, self.now_s = [], [], 100.0
        self.tally = Tally(
            self, run, step=self._step, clock_s=lambda: self.now_s, wall_s=lambda: self.now_s + WALL_S, **how
        )

    def append(self, event, **fields):
        self.records.append((event, fields))

    def append_later(self, event, fields):
        self.append(event, **fields)
        return len(self.records) == 1

    def flush(self):
        self.records.append("flush")

    def _step(self, name, seconds, error=None):
        self.steps.append((name, round(seconds, 6), error))

    def due(self, number=0, at_s=100.0, run="r1", **more):
        key = f"{run}-{number:06d}"
        self.tally.append_later("due", {"key": key, "due_mono_ns": int(at_s * 1e9), **more})
        return key

    def say(self, event, key, **more):
        self.tally.append(event, key=key, **more)

    def stored(self, key, at_s, error_s=0.0):
        return self.tally.stored(key, at_s + WALL_S, error_s)

    def figures(self):
        return {name: value for name, value in self.tally.figures().items() if value and name != "processes"}


def test_records_pass_unchanged():
    scene = Scene()
    key = scene.due(to="a@b.test")
    scene.say("invoke", key, **{"try": 1, "late_s": 0.002})
    scene.say("load_stop", "x", due=1)
    scene.tally.flush()
    assert scene.records == [
        ("due", {"key": key, "due_mono_ns": 100 * 10**9, "to": "a@b.test"}),
        ("invoke", {"key": key, "try": 1, "late_s": 0.002}),
        ("load_stop", {"key": "x", "due": 1}),
        "flush",
    ]


def test_a_job_that_ends_well():
    scene = Scene()
    key = scene.due()
    scene.say("invoke", key, **{"try": 1, "late_s": 0.25})
    scene.now_s = 101.0
    scene.say("ok", key)
    scene.now_s = 104.0
    assert scene.figures() == {
        "due": 1,
        "sent": 1,
        "accepted": 1,
        "waiting": 1,
        "blind": 1,
        "oldest_waiting_s": 4.0,
        "max_late_s": 0.25,
    }
    assert scene.stored(key, 103.5)
    assert scene.steps == [("due -> stored", 3.5, None), ("202 -> stored", 2.5, None)]
    assert scene.figures() == {
        "due": 1,
        "sent": 1,
        "accepted": 1,
        "delivered": 1,
        "blind": 1,
        "max_late_s": 0.25,
    }


def test_a_second_copy_is_told_and_counted_each_time():
    scene = Scene()
    key = scene.due()
    scene.say("ok", key)
    for at_s in (101.0, 103.0, 106.0):
        assert scene.stored(key, at_s)
    assert scene.figures()["duplicates"] == 2
    assert scene.figures()["delivered"] == 1
    again = [(name, seconds) for name, seconds, error in scene.steps if error and "duplicate" in error]
    assert again == [("stored again", 2.0), ("stored again", 5.0)]


def test_a_mail_that_comes_before_its_202():
    scene = Scene()
    key = scene.due()
    scene.stored(key, 100.5)
    scene.now_s = 102.0
    scene.say("ok", key)
    assert scene.steps == [("due -> stored", 0.5, None), ("202 -> stored", 0.0, None)]
    assert "waiting" not in scene.figures()


@pytest.mark.parametrize(
    ("events", "figure"),
    [
        (["fail"], "refused"),
        (["info"], "unknown"),
        (["fail", "info"], "unknown"),
        (["info", "fail"], "unknown"),
        (["fail", "ok"], "accepted"),
        (["info", "ok"], "accepted"),
        (["ok", "ok"], "accepted"),
        (["info", "ok", "info"], "accepted"),
    ],
)
def test_the_fate_of_a_job_is_one(events, figure):
    scene = Scene()
    key = scene.due()
    for event in events:
        scene.say(event, key)
    fates = {name: scene.figures().get(name, 0) for name in ("accepted", "refused", "unknown")}
    assert fates == {**dict.fromkeys(fates, 0), figure: 1}


def test_only_own_mails_count():
    scene = Scene(share=1, shares=3)
    key = scene.due(4)
    others = ("r1-000003", "r1-000005", "r1-000001", "r1-2-000004", "r2-000004", "r1-", "r1-x", "r1-٤", "")
    assert not any(scene.stored(other, 101.0) for other in others)
    assert not scene.stored(f"{key}+notify", 101.0)
    assert scene.stored(key, 101.0)
    assert len(scene.steps) == 1


def test_the_mail_that_tells_the_end_of_another_job():
    scene = Scene()
    key = scene.due(7, kind="add", mail_key="r1-000007+notify")
    scene.say("ok", key)
    # Its status says done before that mail is even made, and that is no lie.
    scene.tally.done(key)
    assert not scene.stored(key, 101.0)
    assert scene.stored("r1-000007+notify", 102.0)
    assert scene.steps == [("due -> stored (notify)", 2.0, None), ("202 -> stored (notify)", 2.0, None)]


def test_a_job_without_a_mail_is_not_waited_for():
    scene = Scene()
    key = scene.due(mail_key=None)
    scene.say("ok", key)
    assert "waiting" not in scene.figures()
    assert not scene.stored(key, 101.0)


def test_a_status_that_says_done_after_the_mail_was_stored():
    scene = Scene()
    first, second = scene.due(1), scene.due(2)
    scene.stored(first, 100.5)
    scene.now_s = 101.0
    scene.tally.done(first)
    scene.tally.done(first)
    # Stored before the status said so, and heard of later.
    scene.tally.done(second)
    scene.stored(second, 100.75)
    told = [step for step in scene.steps if step[0] == "status done -> stored"]
    assert told == [("status done -> stored", 0.5, None), ("status done -> stored", 0.25, None)]


@pytest.mark.parametrize(("error_s", "lie"), [(0.0, True), (0.15, True), (0.25, False)])
def test_a_status_that_says_done_too_early_has_lied_unless_the_clocks_may_be_wrong(error_s, lie):
    scene = Scene()
    key = scene.due()
    scene.now_s = 101.0
    scene.tally.done(key)
    scene.stored(key, 101.2, error_s)
    ((_, seconds, error),) = [step for step in scene.steps if step[0] == "status done -> stored"]
    assert seconds == 0.0
    assert bool(error) is lie


def test_what_is_missing_at_the_end_is_told_with_how_long_was_waited():
    scene = Scene()
    for number in range(3):
        scene.say("ok", scene.due(number, at_s=100.0 + number))
    scene.tally.done("r1-000002")
    scene.stored("r1-000001", 103.0)
    scene.steps.clear()
    scene.now_s = 110.0
    assert scene.tally.give_up() == 2
    missing = "accepted, and not stored when the load ended"
    assert scene.steps == [
        ("due -> stored", 10.0, missing),
        ("due -> stored", 8.0, missing),
        ("status done -> stored", 0.0, "the status said done, and no mail was stored"),
    ]


def test_a_mail_from_before_its_due_time_took_nothing():
    scene = Scene()
    scene.stored(scene.due(), 99.9)
    assert scene.steps == [("due -> stored", 0.0, None)]


def test_memory_does_not_grow_with_what_happened_to_a_job():
    scene = Scene()
    scene.records = scene.steps = type("Nothing", (), {"append": lambda *_: None, "__len__": lambda _: 0})()
    tracemalloc.start()
    for number in range(20_000):
        key = scene.due(number)
        scene.say("ok", key)
        scene.stored(key, 101.0)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / 20_000 < 50
    assert scene.figures()["delivered"] == 20_000
    assert scene.stored("r1-000000", 102.0)
    assert scene.figures()["duplicates"] == 1


def test_figures_of_several_processes():
    parts = [Scene().tally.figures() for _ in range(2)]
    parts[0] |= {"due": 3.0, "waiting": 1.0, "oldest_waiting_s": 2.0, "blind": 0.0}
    parts[1] |= {"due": 4.0, "oldest_waiting_s": 5.0, "max_late_s": 0.5}
    whole = together(parts)
    assert set(whole) == {*SUMS, *LARGEST} == set(parts[0])
    assert (whole["due"], whole["waiting"], whole["processes"], whole["blind"]) == (7.0, 1.0, 2.0, 1.0)
    assert (whole["oldest_waiting_s"], whole["max_late_s"]) == (5.0, 0.5)
    assert set(together([]).values()) == {0.0}


def test_a_master_forgets_what_was_said_of_another_run():
    collected = Collected()
    one = Scene().tally.figures()
    for worker, run, due in (("a", "r1", 2.0), ("b", "r2", 3.0), ("a", "r2", 4.0), ("c", "r1", 9.0)):
        data = {}
        put(data, run, one | {"due": due})
        collected.take(worker, data)
    collected.take("d", {"stats": []})
    assert collected.of("r2")["due"] == 7.0
    assert collected.of("r3") == together([])


def test_every_figure_is_a_number_for_any_order_of_events():
    for order in itertools.permutations(("fail", "info", "ok", "stored", "done")):
        scene = Scene()
        key = scene.due()
        for event in order:
            if event == "stored":
                scene.stored(key, 101.0)
            elif event == "done":
                scene.tally.done(key)
            else:
                scene.say(event, key)
        figures = scene.figures()
        assert figures["accepted"] == figures["delivered"] == 1, order
        assert not {"waiting", "refused", "unknown", "duplicates"} & set(figures), order
        assert sorted(name for name, _, _ in scene.steps) == [
            "202 -> stored",
            "due -> stored",
            "status done -> stored",
        ]
