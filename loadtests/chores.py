"""Jobs that are no mail: greet, sleep, add, reverse, sentiment, each with one mail that tells its end.

Made like the mails of `jobs`: a pure function of run, seed, number and kind. Never keeps state.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Long enough to hold a worker, short enough that no run waits for it.
SLEEP_S = (0.05, 0.3)


@dataclass(frozen=True)
class Chore:
    """One job that is no mail; `to` is told its end, in one mail under `mail_key`.

    That mail's text names the id that the system gives the job, so nobody can know its digest beforehand.
    """

    key: str
    to: str
    kind: str
    fields: dict[str, Any]

    @property
    def mail_key(self) -> str:
        """The X-Job-Key of the mail that tells the end."""
        return f"{self.key}+notify"

    @property
    def request(self) -> dict[str, Any]:
        """The JSON body of `POST /jobs`."""
        return {"kind": self.kind, **self.fields, "notify": self.to}

    @property
    def record(self) -> dict[str, Any]:
        """What its `due` record says of it."""
        return {"to": self.to, "digest": None, "kind": self.kind, "mail_key": self.mail_key}


def make(run: str, seed: int, number: int, kind: str) -> Chore:
    """Return job `number` (from 0) of a run as a chore of this kind (one of CHORES)."""
    rng = random.Random(f"{kind}:{seed}:{number}")
    return Chore(f"{run}-{number:06d}", f"u{number:06d}@{run}.test", kind, CHORES[kind](rng, number))


def _sleep(rng: random.Random, _: int) -> dict[str, Any]:
    return {"duration": round(rng.uniform(*SLEEP_S), 3)}


def _add(rng: random.Random, _: int) -> dict[str, Any]:
    return {"a": rng.randrange(-(10**6), 10**6), "b": rng.randrange(-(10**6), 10**6)}


def _sentiment(rng: random.Random, number: int) -> dict[str, Any]:
    return {"text": f"order {number} was {rng.choice(('good', 'late', 'not so good', 'cold'))}"}


CHORES: dict[str, Callable[[random.Random, int], dict[str, Any]]] = {
    "greet": lambda _, number: {"name": f"customer {number}"},
    "sleep": _sleep,
    "add": _add,
    "reverse": lambda rng, number: {"text": f"order {number} " + "abc déf 🚀 " * rng.randint(1, 20)},
    "sentiment": _sentiment,
}
