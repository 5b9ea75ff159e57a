"""Replies leave together, in order, and only on top of evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fake_smtp.outbox import Outbox, Reply


class Mouth:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def speak(self, reply: Reply) -> None:
        self.log.append(reply.data.decode())
        assert reply.settle is not None
        reply.settle(True)


def play(
    steps: Callable[[Outbox, Callable[[str], None], list[str]], None], secured: bool = True
) -> list[str]:
    log: list[str] = []

    def secure() -> bool:
        log.append("evidence")
        return secured

    async def run() -> None:
        outbox = Outbox(secure)
        mouth = Mouth(log)

        def say(words: str) -> None:
            settle = lambda flushed: log.append(f"{words} {flushed}")  # noqa: E731
            outbox.put(Reply(mouth, words.encode(), settle), asyncio.get_running_loop())

        steps(outbox, say, log)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(run())
    return log


def test_replies_of_one_turn_leave_in_order_after_one_look_at_the_evidence() -> None:
    def steps(_outbox: Outbox, say: Callable[[str], None], log: list[str]) -> None:
        say("a")
        say("b")
        log.append("end of turn")

    assert play(steps) == ["end of turn", "evidence", "a", "a True", "b", "b True"]


def test_a_flush_says_what_waits_and_nothing_twice() -> None:
    def steps(outbox: Outbox, say: Callable[[str], None], log: list[str]) -> None:
        say("a")
        outbox.flush()
        log.append("end of turn")

    assert play(steps) == ["evidence", "a", "a True", "end of turn", "evidence"]


def test_without_evidence_nobody_hears_anything() -> None:
    def steps(_outbox: Outbox, say: Callable[[str], None], _log: list[str]) -> None:
        say("a")

    assert play(steps, secured=False) == ["evidence"]


def test_many_replies_do_not_wait_for_the_end_of_the_turn() -> None:
    def steps(_outbox: Outbox, say: Callable[[str], None], log: list[str]) -> None:
        for number in range(40):
            say(str(number))
        log.append("end of turn")

    assert play(steps).index("end of turn") == 1 + 2 * 32
