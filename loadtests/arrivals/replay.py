"""The due times of a recorded run once more: same jobs, same kinds, same gaps.

Reads the `due` records of a run's submissions.jsonl, whoever wrote them. Never changes that file.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from loadtests.arrivals.base import MAX_RATE_PER_S, ArrivalsError, Schedule, short
from reports.evidence import SUBMISSIONS, stream

# Monotonic clocks of one host agree with its wall clock to less than this, those of two hosts never do.
ONE_HOST_S = 0.1


class Recorded(NamedTuple):
    """What a record says: number and due time (seconds from the first) of each job, and what is no mail."""

    seed: int
    numbers: list[int]
    offsets: list[float]
    kinds: dict[int, str]


@dataclass(frozen=True)
class Replay(Schedule):
    """A run as it was recorded, `speed` times as fast; it brings its own rate and seed, and it ends."""

    name = "replay"
    path: str = ""
    speed: float = 1.0
    recorded: Recorded = field(default=Recorded(0, [], [], {}), repr=False, compare=False)
    _SPEED: ClassVar[str] = ",speed="

    def __post_init__(self) -> None:
        self._need("speed", self.speed, above=0.0)
        if self.rate_per_s > MAX_RATE_PER_S:
            raise ArrivalsError(
                f"replay: {self.rate_per_s:g} jobs/s are too many (at most {MAX_RATE_PER_S:g})"
            )

    @classmethod
    def read(cls, rest: str, rate_per_s: float, seed: int) -> Self:
        """Make a replay from `PATH` or `PATH,speed=2`; rate and seed come from the record."""
        path, found, speed = rest.rpartition(cls._SPEED)
        path, times = (path, cls.number("speed", speed)) if found else (rest, 1.0)
        if not path:
            raise ArrivalsError(f"replay: name a run's folder or its {SUBMISSIONS}, as in replay:DIR,speed=2")
        recorded = load(Path(path))
        span_s = max(recorded.offsets[-1], 1.0)
        rate = len(recorded.offsets) / span_s * (times if times > 0 else 1.0)
        return cls(rate, recorded.seed, path, times, recorded)

    def offsets(self) -> Iterator[float]:
        """Yield due times in seconds; the first job is due at once."""
        return (offset / self.speed for offset in self.recorded.offsets)

    def numbered(self) -> Iterator[tuple[int, float]]:
        """Yield the recorded numbers: a run that was cut short may have gaps."""
        return zip(self.recorded.numbers, self.offsets(), strict=True)

    def shape(self) -> str:
        """Say the shape as `--arrivals` takes it."""
        return f"replay:{self.path}" + (f"{self._SPEED}{short(self.speed)}" if self.speed != 1.0 else "")


def load(path: Path) -> Recorded:
    """Read a run's folder or its submissions.jsonl. Raises ArrivalsError with words when that cannot be."""
    file = path / SUBMISSIONS if path.is_dir() else path
    try:
        stat = file.stat()
    except OSError as error:
        raise ArrivalsError(
            f"replay: {file}: {error.strerror}; name a run's folder or its {SUBMISSIONS}"
        ) from None
    return _load(file, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=1)
def _load(file: Path, _mtime_ns: int, _size: int) -> Recorded:
    problems: list[str] = []
    starts: dict[str, dict[str, Any]] = {}
    dues: list[tuple[str, dict[str, Any]]] = []
    for record in stream(file, problems):
        if record["event"] == "load_start":
            starts[record["writer"]] = record
        elif record["event"] == "due":
            dues.append((record["writer"], record))
    _check(file, problems, starts, dues)
    try:
        return _recorded(starts, dues)
    except (LookupError, TypeError, ValueError) as error:
        raise ArrivalsError(f"replay: {file}: a record cannot be understood ({error!r})") from None


def _check(
    file: Path, problems: list[str], starts: dict[str, dict[str, Any]], dues: list[tuple[str, dict[str, Any]]]
) -> None:
    if problems:
        raise ArrivalsError(f"replay: {file} is damaged: {problems[0]}")
    if not dues:
        raise ArrivalsError(f"replay: {file} records no job; nothing was offered there")
    if {writer for writer, _ in dues} - set(starts):
        raise ArrivalsError(f"replay: {file} has due times without the load_start of their writer")
    if len({(start["run"], start.get("seed")) for start in starts.values()}) > 1:
        raise ArrivalsError(f"replay: {file} holds more than one run; give each a folder of its own")


def _recorded(starts: dict[str, dict[str, Any]], dues: list[tuple[str, dict[str, Any]]]) -> Recorded:
    shift_ns = _shifts_ns(starts)
    jobs = sorted(
        (due["due_mono_ns"] + shift_ns[writer], int(due["key"].rpartition("-")[2]), due.get("kind", "email"))
        for writer, due in dues
    )
    first_ns, seed = jobs[0][0], next(iter(starts.values()))["seed"]
    offsets = [(at_ns - first_ns) / 1e9 for at_ns, _, _ in jobs]
    kinds = {number: kind for _, number, kind in jobs if kind != "email"}
    return Recorded(int(seed), [number for _, number, _ in jobs], offsets, kinds)


def _shifts_ns(starts: dict[str, dict[str, Any]]) -> dict[str, int]:
    """What to add to each writer's monotonic clock, so that writers of several hosts can be compared."""
    to_wall = {writer: start["wall_ns"] - start["mono_ns"] for writer, start in starts.items()}
    one_host = max(to_wall.values()) - min(to_wall.values()) < ONE_HOST_S * 1e9
    return dict.fromkeys(to_wall, 0) if one_host else to_wall
