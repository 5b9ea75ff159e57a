"""What is known of the faults while a run goes on."""

from __future__ import annotations

import pytest

from chaos.live import Live

STEPS = ("inject", "bite", "heal", "healed")


def walked(*steps: str) -> Live:
    live = Live()
    for step in steps:
        live.see(step, {"fault": "f-1", "kind": "f", "detail": "d", "proof": "p", "after_s": 1.5})
    return live


@pytest.mark.parametrize("count", range(5))
def test_a_fault_is_active_from_its_injection_to_its_read_back(count: int) -> None:
    live = walked(*STEPS[:count])
    assert live.active() == (["f-1"] if 1 <= count <= 3 else [])
    assert live.was_felt("f-1") == (count == 4)


def test_what_was_healed_without_ever_being_injected_was_not_felt() -> None:
    assert not walked("heal", "healed").was_felt("f-1")
    assert not Live().was_felt("f-1")


def test_clocks_are_plain_data() -> None:
    (clocks,) = walked(*STEPS, "recovered").faults()
    assert clocks["inject_s"] <= clocks["bite_s"] <= clocks["heal_s"] <= clocks["healed_s"]
    assert (clocks["recovery_s"], clocks["proof"], clocks["active"]) == (1.5, "p", False)
    (stuck,) = walked(*STEPS, "not_recovered").faults()
    assert (stuck["not_recovered"], stuck["recovered_s"]) == (True, None)


def test_notes_are_kept_in_order_and_not_for_ever() -> None:
    live = Live()
    for number in range(30):
        live.see("note", {"text": str(number)})
    assert [text for _, text in live.notes()] == [str(number) for number in range(10, 30)]
