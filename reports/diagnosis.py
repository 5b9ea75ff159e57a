"""Where it went wrong with one mail: one sentence from the facts on record, and the step that it points at.

Called by `reports.trails`. Never guesses: what no record says, no sentence says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reports.again import twice
from reports.case import Case, Diagnosis, Step, sender
from reports.checks.fate import last_seen
from reports.checks.leases import GRACE_S
from reports.history import History
from reports.records import Job, Kill


def explain(history: History, key: str, checks: Sequence[str], steps: Sequence[Step]) -> Diagnosis:
    """Explain the first of these checks that there is something to say about."""
    case = Case(history, key, history.jobs.get(key, Job()), steps)
    for name in checks:
        if name in EXPLAIN and (found := EXPLAIN[name](case)).said:
            return found
    return Diagnosis()


def _lost(case: Case) -> Diagnosis:
    job = case.job
    if "SUCCESS" in job.states:
        said = "The system says that it sent this mail, and the sink never stored it."
        return Diagnosis(said, case.last("sent") or _end(case))
    if "FAILURE" in job.states:
        said = f"The system gave this mail up, and no refusal by the receiver is on record: {job.reason}"
        return Diagnosis(said, case.last("failed") or _end(case))
    if kill := _killed_for_good(case):
        return Diagnosis(f"{_held_by(case, kill)}.", case.when("killed", kill.at_ns) or _end(case))
    leased = case.last("leased", "sending")
    if leased is not None:
        said = f"Pid {leased.pid} took it at {case.at(leased.at_ns)}; nothing more of it is on record."
        return Diagnosis(said, leased)
    last = _end(case)
    said = f"Accepted at {case.at(job.ok_ns)}, and no worker ever took it up."
    around = [step for step in case.steps if step.event in ("killed", "fault")]
    if last and around:
        nearest = min(around, key=lambda step: abs(step.at_ns - last.at_ns))
        said += f" At {case.at(nearest.at_ns)}: {nearest.text}."
    return Diagnosis(said, last)


def _killed_for_good(case: Case) -> Kill | None:
    """Return the kill of the worker that held this job last, when nobody took it up after that."""
    held = [kill for kill in case.history.kills if case.key in kill.in_flight or case.key in kill.chores]
    kill = max(held, key=lambda kill: kill.at_ns, default=None)
    leased = case.last("leased")
    return kill if kill and (leased is None or leased.at_ns <= kill.at_ns) else None


def _held_by(case: Case, kill: Kill) -> str:
    leased = case.last("leased")
    taken = f"Pid {leased.pid} took it at {case.at(leased.at_ns)} and" if leased else "Its worker"
    return f"{taken} was killed at {case.at(kill.at_ns)}; nobody took it up again"


def _end(case: Case) -> Step | None:
    """Return the last step of the mail itself."""
    own = [step for step in case.steps if step.event not in ("fault", "killed", "status")]
    return own[-1] if own else None


def _on_its_way(case: Case) -> Diagnosis:
    return Diagnosis(f"It had not arrived when the run ended: {last_seen(case.job)}.", _end(case))


def _held(case: Case) -> Diagnosis:
    said = "Nobody knows whether it was stored, nobody could be asked, and it waits for an operator."
    return Diagnosis(said, case.last("in_doubt") or _end(case))


def _false_sent(case: Case) -> Diagnosis:
    job = case.job
    stored = (
        f"its first copy was stored at {case.at(job.first_stored_ns)}"
        if job.copies
        else "no copy was ever stored"
    )
    if job.success_read_ns:
        said = f"The API said at {case.at(job.success_read_ns)} that it was sent; {stored}."
        return Diagnosis(said, case.when("status", job.success_read_ns))
    return Diagnosis(f"At the end the system says that it was sent; {stored}.", case.last("sent"))


def _false_failed(case: Case) -> Diagnosis:
    if not case.job.copies:
        return Diagnosis()
    at = case.job.first_stored_ns
    words = "The system says that this mail was not sent, and the sink stored it"
    return Diagnosis(f"{words} at {case.at(at)}.", case.when("stored", at))


def _phantom(case: Case) -> Diagnosis:
    at = case.job.first_stored_ns
    return Diagnosis(
        f"Every submit was refused, and yet it was stored at {case.at(at)}.", case.when("stored", at)
    )


def _changed(what: str) -> Callable[[Case], Diagnosis]:
    def changed(case: Case) -> Diagnosis:
        bad = next((one for one in case.job.copies if one.damaged or one.misrouted), None)
        if bad is None:
            return Diagnosis()
        said = f"The copy that {sender(bad)} sent, stored at {case.at(bad.at_ns)}, {what}."
        return Diagnosis(said, case.when("stored", bad.at_ns))

    return changed


def _late(case: Case) -> Diagnosis:
    held = [kill for kill in case.history.kills if case.key in kill.in_flight]
    if not held:
        return Diagnosis()
    kill, first = max(held, key=lambda kill: kill.at_ns), case.job.first_stored_ns
    lease = f"the lease is {case.history.plan.lease_s:g} s, and {GRACE_S:g} s are allowed"
    came = f"came {(first - kill.at_ns) / 1e9:.1f} s after that" if first else "never came"
    said = f"Its worker was killed at {case.at(kill.at_ns)}, and the mail {came}: {lease}."
    return Diagnosis(said, case.when("killed", kill.at_ns))


def _unfinished(case: Case) -> Diagnosis:
    if not case.job.copies:
        return Diagnosis()
    state, stored = " and ".join(case.job.states) or "nothing", case.at(case.job.first_stored_ns)
    ending = f"At the end the system still says {state} of it."
    if kill := _killed_for_good(case):
        said = f"Stored at {stored}. {_held_by(case, kill)}. {ending}"
        return Diagnosis(said, case.when("killed", kill.at_ns))
    return Diagnosis(f"Stored at {stored}. {ending}", case.last("leased", "sending", "retry") or _end(case))


def _many_jobs(case: Case) -> Diagnosis:
    ids = case.job.ids
    return Diagnosis(f"{len(ids)} jobs were made for one key: {', '.join(ids[:3])}." if len(ids) > 1 else "")


def _stranger(case: Case) -> Diagnosis:
    return Diagnosis("No mail of this run has this key: where it comes from is not on record.", _end(case))


EXPLAIN: dict[str, Callable[[Case], Diagnosis]] = {
    "lost": _lost,
    "duplicate": twice,
    "unavoidable_duplicate": twice,
    "phantom": _phantom,
    "unexpected": _stranger,
    "corrupted": _changed("has another content than what was submitted"),
    "misdelivered": _changed("went to another address than was asked for"),
    "false_sent": _false_sent,
    "false_failed": _false_failed,
    "unfinished": _unfinished,
    "one_job_per_key": _many_jobs,
    "stuck": _on_its_way,
    "held": _held,
    "lease_recovery": _late,
}
