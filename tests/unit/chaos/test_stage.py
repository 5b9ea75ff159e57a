"""The life of a fault on a stage: every step in its order, and healed whatever happens."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.control import live_stage
from chaos.errors import HarnessError, Interrupted, StoryCut
from chaos.scenarios import SCENARIOS
from chaos.signals import interruptible
from tests.unit.chaos.staging import Scripted, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.events.close()


def test_every_step_in_its_order(world: World) -> None:
    world.flow.steady_rate_per_s = 50
    world.stage.run(Scripted())
    assert world.seen == ["inject", "bite", "heal", "healed", "recovered"]
    assert world.open_undos == 0
    assert world.stage.unrecovered is None


def test_a_single_fault_leaves_its_recovery_to_be_watched(world: World) -> None:
    fault = Scripted()
    world.act(fault)(world.stage)
    assert world.seen == ["inject", "bite", "heal", "healed"]
    assert world.stage.unrecovered is fault
    world.stage.await_recovery(fault)
    assert world.seen[-1] == "recovered"


def test_without_mail_nothing_bites_that_only_silences_and_nothing_recovers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_stage, "FLOW_LIMIT_S", 0.1)
    world.flow.rate = 0
    world.act(Scripted())(world.stage)
    assert world.flow.window_for(10) == float("inf"), "or silence would count as a bite"
    world.stage.await_recovery(Scripted())
    assert world.seen[-1] == "note"
    with pytest.raises(StoryCut, match="start a load"):
        world.stage.tell(SCENARIOS["kill-redis"])


def test_a_cut_heals_and_reads_back(world: World) -> None:
    fault = Scripted(bites=False)
    threading.Timer(0.2, world.stage.interrupt).start()
    with pytest.raises(StoryCut, match="by hand"):
        world.act(fault, 60)(world.stage)
    assert world.seen == ["inject", "heal", "healed"]
    assert not fault.on.is_set()
    assert world.open_undos == 0


def test_what_cannot_be_healed_stays_in_the_journal(world: World) -> None:
    with pytest.raises(HarnessError, match="not even by force"):
        world.act(Scripted(heals=False))(world.stage)
    assert world.open_undos == 1
    assert world.events.live.active() == ["scripted-1"]
    assert world.stage.unrecovered is None, "what is broken is not yet to recover"


def test_a_signal_that_comes_while_another_thread_heals_reaches_the_main_thread(world: World) -> None:
    healing, go_on = threading.Event(), threading.Event()

    class Slow(Scripted):
        def heal(self) -> None:
            healing.set()
            go_on.wait(10)
            super().heal()

    thread = threading.Thread(target=world.act(Slow()), args=(world.stage,))
    with interruptible(), pytest.raises(Interrupted):
        thread.start()
        assert healing.wait(10)
        os.kill(os.getpid(), signal.SIGTERM)
    go_on.set()
    thread.join(10)
    assert world.seen[-1] == "healed"


def test_sweeping_finds_what_was_broken_by_hand(world: World) -> None:
    assert world.stage.sweep() == []
    world.plan_rules.append("tempfail")
    assert world.stage.sweep() == ["the sink's plan"]
    assert world.plan_rules == []
