"""One thing at a time, and nothing stays broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos.control.director import BusyError, Director, Job
from chaos.errors import HarnessError
from tests.unit.chaos.staging import Scripted, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.events.close()


@pytest.fixture
def director(world: World) -> Iterator[Director]:
    with Director(world.stage, world.events, world.said.append) as made:
        yield made


class Slow(Scripted):
    """Its injection is not over before it is healed."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._stage = world.stage

    def inject(self) -> str:
        super().inject()
        assert self._stage._cut.wait(10)
        return "on at last"


def job(world: World, fault: Scripted, hold_s: float = 60.0) -> Job:
    return Job("fault", fault.name, world.act(fault, hold_s))


def test_heal_ends_what_goes_on_and_the_recovery_is_still_watched(
    world: World, director: Director, until: Callable[..., None]
) -> None:
    fault = Scripted(bites=False)
    director.start(job(world, fault))
    assert fault.on.wait(10)
    assert director.running()["name"] == "scripted-1"
    with pytest.raises(BusyError, match="fault scripted-1 is going on"):
        director.start(job(world, Scripted("second")))
    assert director.heal() == {"healed": ["scripted-1"], "stopped": "fault scripted-1", "found_broken": []}
    assert not fault.on.is_set()
    until(lambda: "recovered" in world.seen)
    assert director.running() is None
    assert director.watching() is None


def test_a_fault_that_was_just_being_injected_is_told_as_healed(world: World, director: Director) -> None:
    fault = Slow(world)
    director.start(job(world, fault))
    assert fault.on.wait(10)
    assert director.heal()["healed"] == [fault.name]


def test_the_next_fault_may_begin_while_the_last_one_is_watched(
    world: World, director: Director, until: Callable[..., None]
) -> None:
    world.flow.back = False
    director.start(job(world, Scripted("first"), 0.0))
    until(lambda: director.watching() == "first")
    second = Scripted("second")
    director.start(job(world, second, 0.0))
    until(lambda: director.watching() == "second")
    assert "first: its recovery is watched no longer" in [text for _, text in world.events.live.notes()]
    assert director.heal()["healed"] == []
    assert director.watching() == "second", "healing is no reason to look away"
    director.heal(load_ended=True)
    until(lambda: director.watching() is None)
    assert "not_recovered" not in world.seen, "with the load gone nobody knows"


def test_what_cannot_be_healed_is_told_loudly_until_it_is(
    world: World, director: Director, until: Callable[..., None]
) -> None:
    fault = Scripted(heals=False)
    director.start(job(world, fault, 0.0))
    until(lambda: director.trouble)
    assert director.trouble.startswith("NOT HEALED, scripted-1")
    assert world.said == [director.trouble]
    with pytest.raises(HarnessError, match="cannot be healed: scripted-1"):
        director.heal()
    world.events.append("healed", fault="scripted-1", read_back="by hand")
    director.heal()
    assert director.trouble == ""


def test_a_story_that_breaks_is_told_and_the_next_one_runs(
    world: World, director: Director, until: Callable[..., None]
) -> None:
    director.start(Job("scenario", "wrong", lambda _: 1 / 0))  # type: ignore[arg-type, return-value]
    until(lambda: director.trouble)
    assert director.trouble == "scenario wrong: ZeroDivisionError: division by zero"
    until(lambda: director.running() is None)
    director.start(job(world, Scripted(), 0.0))
    until(lambda: "recovered" in world.seen)


def test_the_end_heals(world: World) -> None:
    fault = Scripted()
    with Director(world.stage, world.events, world.said.append) as director:
        director.start(job(world, fault))
        assert fault.on.wait(10)
    assert not fault.on.is_set()
    assert "healed" in world.seen
    with pytest.raises(BusyError, match="stopping"):
        director.start(job(world, fault))
