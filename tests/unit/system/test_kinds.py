"""What each kind of job does, and what it refuses."""

import threading
from pathlib import Path

import pytest

from system.api.schemas import read_job
from system.delivery import chores
from system.delivery.states import Lease, Work
from system.kinds.greet import write_once
from system.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, greet_dir=tmp_path / "greetings", lease_s=6)


def run(settings, kind, still_mine=lambda: True, **payload):
    asked, errors = read_job({"kind": kind, **payload})
    assert errors == {}
    return chores.run(settings, Lease(Work("f" * 32, asked.kind, "k", asked.payload), 1), still_mine)


@pytest.mark.parametrize(
    ("kind", "payload", "result"),
    [
        ("greet", {"name": "User"}, "Hello User"),
        ("sleep", {"duration": 0}, "Processed for 0 seconds."),
        ("sleep", {"duration": 0.01}, "Processed for 0.01 seconds."),
        ("add", {"a": 5, "b": 3}, 8),
        ("add", {"a": 0.5, "b": -3}, -2.5),
        ("reverse", {"text": "abc ä"}, "ä cba"),
        ("sentiment", {"text": "a good day"}, "positive"),
        ("sentiment", {"text": "a day"}, "negative"),
    ],
)
def test_results(settings, kind, payload, result):
    assert run(settings, kind, **payload) == chores.Ended("done", result=result)


def test_failures(settings):
    assert run(settings, "greet", name="fail") == chores.Ended("failed", "Simulated task failure")
    assert not settings.greet_dir.exists()
    assert chores.run(settings, Lease(Work("f", "walk", "k", {}), 1), lambda: True).kind == "failed"
    assert chores.run(settings, Lease(Work("f", "add", "k", {}), 1), lambda: True).kind == "failed", (
        "a damaged record"
    )


def test_a_full_disk_is_worth_another_try(settings):
    settings.greet_dir.write_text("not a folder")
    assert run(settings, "greet", name="User").kind == "retry"


def test_sleep_keeps_its_lease_and_notices_its_loss(settings):
    asked = []

    def still_mine():
        asked.append(True)
        return len(asked) < 3

    quick = settings.model_copy(update={"lease_s": 0.04})
    assert run(quick, "sleep", still_mine, duration=60).kind == "stale"
    assert len(asked) == 3


def test_a_file_is_written_once_by_many_writers(tmp_path):
    path, wrote, start = tmp_path / "x.txt", [], threading.Barrier(8)

    def write(number):
        start.wait()
        wrote.append(write_once(path, f"{number}\n", number + 1))

    (tmp_path / ".x.3").write_text("of a killed attempt")
    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrote.count(True) == 1
    before = (path.read_text(), path.stat().st_ino, path.stat().st_mtime_ns)
    assert not write_once(path, "again", 9)
    assert (path.read_text(), path.stat().st_ino, path.stat().st_mtime_ns) == before
    assert [Path(one).name for one in tmp_path.iterdir()] == ["x.txt"], "no draft is left"


@pytest.mark.parametrize(
    ("job", "field"),
    [
        ({"kind": "greet"}, "name"),
        ({"kind": "greet", "name": "a\nb"}, "name"),
        ({"kind": "greet", "name": 5}, "name"),
        ({"kind": "sleep", "duration": -1}, "duration"),
        ({"kind": "sleep", "duration": 601}, "duration"),
        ({"kind": "sleep", "duration": "10"}, "duration"),
        ({"kind": "sleep", "duration": True}, "duration"),
        ({"kind": "sleep", "duration": float("nan")}, "duration"),
        ({"kind": "add", "a": 1}, "b"),
        ({"kind": "add", "a": 1, "b": "2"}, "b"),
        ({"kind": "add", "a": 2**60, "b": 2}, "a"),
        ({"kind": "add", "a": float("inf"), "b": 2}, "a"),
        ({"kind": "reverse", "text": ""}, "text"),
        ({"kind": "reverse", "text": "a", "notify": "x"}, "notify"),
        ({"kind": "reverse", "text": "a", "priority": "high"}, "priority"),
        ({"kind": "email", "to": "a@b", "subject": "s", "body": "b", "priority": "urgent"}, "priority"),
        ({"kind": "walk"}, "kind"),
        ({"kind": ["add"]}, "kind"),
    ],
)
def test_wrong_requests(job, field):
    asked, errors = read_job(job)
    assert asked is None
    assert any(name.startswith(field) for name in errors), errors
