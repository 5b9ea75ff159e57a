"""Which kind job n of a run is, and how many status reads go with it: a pure function of weights, seed and n.

Called by the flood. Never keeps state, so any number of processes makes the same plan.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Protocol

from loadtests import chores, jobs

READ = "read"
KINDS = ("email", *chores.CHORES)


class AnyJob(Protocol):
    """A job to be offered: `jobs.Job` and `chores.Chore` are such."""

    @property
    def key(self) -> str:
        """The Idempotency-Key."""

    @property
    def request(self) -> Mapping[str, Any]:
        """The JSON body of `POST /jobs`."""

    @property
    def record(self) -> Mapping[str, Any]:
        """What its `due` record says, besides key and due time."""


def make(run: str, seed: int, number: int, kind: str = "email") -> AnyJob:
    """Return job `number` (from 0) of a run, of this kind."""
    return jobs.make(run, seed, number) if kind == "email" else chores.make(run, seed, number, kind)


@dataclass(frozen=True)
class Mix:
    """Kinds and `read` by weight. Reads come on top of the jobs, so that the rate stays the jobs' own.

    `recorded` (by number) is what a replay knows; there a job that is not named is a mail.
    """

    weights: Mapping[str, float]
    recorded: Mapping[int, str] | None = None
    _kinds: list[str] = field(init=False, repr=False, compare=False)
    _sums: list[float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if name not in (*KINDS, READ):
                raise ValueError(f"--mix: no kind {name!r}; known: {', '.join(KINDS)}, {READ}")
            if not math.isfinite(weight) or weight < 0:
                raise ValueError(f"--mix: {name}: 0 or more is needed, not {weight!r}")
        kinds = [kind for kind in KINDS if self.weights.get(kind)]
        if not kinds:
            raise ValueError(f"--mix: at least one kind of job is needed: {', '.join(KINDS)}")
        object.__setattr__(self, "_kinds", kinds)
        object.__setattr__(self, "_sums", list(accumulate(self.weights[kind] for kind in kinds)))

    def kind(self, seed: int, number: int) -> str:
        """Say what job `number` is."""
        if self.recorded is not None:
            return self.recorded.get(number, "email")
        if len(self._kinds) == 1:
            return self._kinds[0]
        return random.Random(f"mix:{seed}:{number}").choices(self._kinds, cum_weights=self._sums)[0]

    def reads(self, seed: int, number: int) -> int:
        """Say how many status reads go with job `number`; in the mean, as many as the weights say."""
        weight = self.weights.get(READ, 0.0)
        if not weight:
            return 0
        whole, part = divmod(weight / self._sums[-1], 1.0)
        return int(whole) + (random.Random(f"read:{seed}:{number}").random() < part)

    def __str__(self) -> str:
        if self.recorded is not None:
            return "as recorded"
        return ",".join(f"{name}={weight:g}" for name, weight in self.weights.items() if weight)


MAILS_ONLY = Mix({"email": 1.0})


def parse(text: str) -> Mix:
    """Read `email=8,greet=1,read=2`; a name alone weighs 1. Raises ValueError with words."""
    weights: dict[str, float] = {}
    for pair in filter(None, (word.strip() for word in text.split(","))):
        name, found, weight = pair.partition("=")
        if name in weights:
            raise ValueError(f"--mix: {name} is there twice")
        try:
            weights[name] = float(weight) if found else 1.0
        except ValueError:
            raise ValueError(f"--mix: {name}: a weight is needed, not {weight!r}") from None
    return Mix(weights)


def of_classes(classes: Iterable[Any]) -> Mix:
    """Return the mix that Locust's chosen user classes stand for, by their `kind` and `weight`."""
    weights = {each.kind: float(each.weight) for each in classes if hasattr(each, "kind")}
    return Mix(weights) if set(weights) & set(KINDS) else Mix({"email": 1.0, **weights})
