"""From counts to what the page shows: each figure a number, or the reason why nobody knows it.

Pure. A figure that is not known is never shown as 0, and each says which option would bring it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

QUIET_S = 5.0
GIVE_SINK = "not known: give --sink, the sink's control address"


@dataclass(frozen=True)
class System:
    """What the target says of itself in /metrics; None: it does not say. `why`: why not, in words."""

    due: float | None = None
    held: float | None = None
    in_doubt: float | None = None
    why: str = "not asked yet"


@dataclass(frozen=True)
class Figure:
    """One card: `value` None is not known; `bad`: it must not be so; `words` explain."""

    name: str
    label: str
    value: float | None
    words: str
    unit: str = ""
    bad: bool = False

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


class Since:
    """For how long something has held, look after look."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    def see(self, now_s: float, holds: bool) -> float:
        """Take whether it holds now; return for how many seconds it has held."""
        if not holds:
            self._since_s = None
            return 0.0
        self._since_s = now_s if self._since_s is None else self._since_s
        return now_s - self._since_s


@dataclass(frozen=True)
class Still:
    """For how long (s) the system has said that nothing is due, and the load has had nothing accepted."""

    quiet_s: float = 0.0
    idle_s: float = 0.0


def read_metrics(text: str) -> System:
    """Read a page for Prometheus. What is not there is not known."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith(("mail_jobs_due", "mail_jobs_held", 'mail_jobs{state="in_doubt"}')):
            found[name] = float(value)
    due, held, doubt = (found.get(name) for name in ("mail_jobs_due", "mail_jobs_held", _IN_DOUBT))
    why = "" if due is not None else "not known: the target's /metrics has no mail_jobs_due"
    return System(due, held, held if doubt is None else max(doubt, held or 0.0), why)


_IN_DOUBT = 'mail_jobs{state="in_doubt"}'


def figures(
    tally: dict[str, float], system: System, still: Still = Still(), why_blind: str = GIVE_SINK
) -> list[Figure]:
    """Return the cards: `tally` is the load's own, `why_blind` says why nobody tells it what is stored."""
    unseen = why_blind if tally["blind"] > 0 else "" if tally["processes"] else "no run yet"

    def seen(name: str, label: str, words: str, unit: str = "", *, bad: bool = False) -> Figure:
        value = None if unseen else tally[name]
        return Figure(name, label, value, unseen or words, unit, bad and bool(value))

    return [
        Figure("accepted", "Accepted", tally["accepted"], _others(tally)),
        seen("delivered", "Delivered", "stored by the sink"),
        seen("waiting", "Backlog", "accepted, not delivered yet"),
        Figure("in_doubt", "In doubt", system.in_doubt, _doubt_words(system)),
        seen("duplicates", "Duplicates", "stored more than once", bad=True),
        _card(None, unseen) if unseen else _lost(tally, system, still),
        seen("oldest_waiting_s", "Oldest waiting", "since it was due", "s"),
    ]


def _others(tally: dict[str, float]) -> str:
    words = [f"{tally['due']:.0f} offered"]
    words += [f"{tally[name]:.0f} {name}" for name in ("refused", "unknown") if tally[name]]
    return ", ".join(words)


def _doubt_words(system: System) -> str:
    if system.in_doubt is None:
        return system.why or "not known: the target's /metrics does not say"
    return f"{system.held or 0:.0f} wait for an operator"


def _lost(tally: dict[str, float], system: System, still: Still) -> Figure:
    """Lost is what was accepted, is not delivered, and is not due any more; all of it for a few seconds."""
    if tally["oldest_waiting_s"] < QUIET_S:
        return _card(0.0, f"no accepted mail has waited for {QUIET_S:g} s")
    if system.due is None:
        return _card(None, system.why)
    if still.quiet_s < QUIET_S:
        why = f"{system.due:.0f} are still due" if system.due else f"nothing due, not for {QUIET_S:g} s yet"
        return _card(None, f"not known yet: {why}")
    if still.idle_s < QUIET_S and not system.held:
        return _card(1.0, "at least: nothing is due, and a mail waits; the number when the load is over")
    if still.idle_s < QUIET_S:
        return _card(None, "not known before the load is over: some mails are in doubt")
    lost = max(0.0, tally["waiting"] - (system.held or 0.0))
    return _card(lost, f"accepted, not delivered, and nothing due any more for {QUIET_S:g} s")


def _card(lost: float | None, words: str) -> Figure:
    return Figure("lost", "Lost so far", lost, words, bad=bool(lost))
