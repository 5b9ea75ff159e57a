"""One round: both sides in turn, a few mails at a time, and what these mails cost each side.

Called by the measurement. The turns are short so that whatever else the machine does meets both sides alike.
Never compares.
"""

from __future__ import annotations

import random
import time
from dataclasses import asdict, dataclass, field

from chaos.regress import cpu
from chaos.regress.offer import Sent
from chaos.regress.side import Side
from reports.stats import percentile

BURST_LIMIT_S = 20.0
ALONE_LIMIT_S = 5.0
# The last outcomes are still on their way to the ledger when the last mail is stored.
SETTLE_S = 0.1
# Whatever else the machine does only ever adds time, so the quick ones tell most about the system itself.
UNDISTURBED = 0.25
SIDES = ("base", "head")


class Spoilt(Exception):
    """A round that says nothing; the text says why."""


@dataclass(frozen=True)
class Shape:
    """How much is measured; rounds that only warm up come on top, `warm_up` in each life.

    Between lives the processes of both sides start anew, because how lucky a process is with its place in
    memory stays with it for life. In each turn a side is offered `mails` at once, then `alone` one by one.
    """

    rounds: int = 15
    lives: int = 3
    warm_up: int = 1
    turns: int = 4
    mails: int = 12
    alone: int = 6

    @property
    def mails_a_round(self) -> int:
        """Mails that each side is offered in a round."""
        return self.turns * (self.mails + self.alone)

    def __str__(self) -> str:
        turn = f"{self.mails} at once, then {self.alone} one by one"
        return f"{self.rounds} rounds in {self.lives} lives, {self.turns} turns a side: {turn}"

    def plan(self) -> list[list[bool]]:
        """The rounds of each life in order; True: it counts, False: it only warms up."""
        shares = [len(range(life, self.rounds, self.lives)) for life in range(self.lives)]
        return [[False] * self.warm_up + [True] * share for share in shares]


@dataclass
class Taken:
    """What one side's turns of a round took."""

    bursts_ms: list[float] = field(default_factory=list)
    alone_ms: list[float] = field(default_factory=list)
    accept_ms: list[float] = field(default_factory=list)


def order(turns: int, rng: random.Random) -> list[str]:
    """Who has each turn of a round: pairs of turns, each side first in half of them."""
    firsts = [SIDES[number % 2] for number in range(turns)]
    rng.shuffle(firsts)
    return [side for first in firsts for side in (first, SIDES[first == SIDES[0]])]


def play(sides: dict[str, Side], shape: Shape, rng: random.Random) -> dict[str, dict[str, object]]:
    """Play one round; its figures by side as they go on record. Raises Spoilt when a mail did not make it."""
    try:
        pids = {name: cpu.processes(side.stack.under_test) for name, side in sides.items()}
        before = {name: cpu.used_s(found) for name, found in pids.items()}
        taken = {name: Taken() for name in sides}
        for name in order(shape.turns, rng):
            _turn(sides[name], shape, taken[name])
        time.sleep(SETTLE_S)
        after = {name: cpu.used_s(found) for name, found in pids.items()}
    except ProcessLookupError as error:
        raise Spoilt(str(error)) from error
    return {
        name: figures(taken[name], _risen(before[name], after[name]), shape.mails_a_round) for name in sides
    }


def figures(taken: Taken, used_s: dict[str, float], mails: int) -> dict[str, object]:
    """The figures of one side's round, in milliseconds; of all of them less is better."""
    values = {"cpu_ms": 1000 * sum(used_s.values()) / mails}
    values |= {name: percentile(sorted(times), UNDISTURBED) for name, times in asdict(taken).items()}
    parts = {part: round(1000 * seconds / mails, 5) for part, seconds in used_s.items()}
    return {
        "values": {name: round(value, 5) for name, value in values.items()},
        "cpu_parts_ms": parts,
        "each_ms": {name: [round(ms, 3) for ms in times] for name, times in asdict(taken).items()},
    }


def _turn(side: Side, shape: Shape, taken: Taken) -> None:
    burst = side.offer.burst(shape.mails)
    _await(side, burst, BURST_LIMIT_S)
    last_ns = max(side.tail.stored_ns[sent.key] for sent in burst)
    taken.bursts_ms.append((last_ns - min(sent.due_ns for sent in burst)) / 1e6 / len(burst))
    for sent in side.offer.one_by_one(shape.alone, lambda sent: _await(side, [sent], ALONE_LIMIT_S)):
        taken.alone_ms.append((side.tail.stored_ns[sent.key] - sent.due_ns) / 1e6)
        taken.accept_ms.append(1000 * (sent.took_s or 0.0))


def _await(side: Side, sent: list[Sent], limit_s: float) -> None:
    refused = [one.key for one in sent if one.took_s is None]
    if refused:
        raise Spoilt(f"{side.name}: {len(refused)} of {len(sent)} mails were not accepted")
    left = side.tail.wait([one.key for one in sent], limit_s)
    if left:
        raise Spoilt(f"{side.name}: {len(left)} of {len(sent)} mails were not stored within {limit_s:g} s")


def _risen(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {part: total - before[part] for part, total in after.items()}
