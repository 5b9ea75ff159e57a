"""Why a mail was stored twice, in sentences from the facts on record.

Called by `reports.diagnosis` for the checks over duplicates. Never guesses.
"""

from __future__ import annotations

from collections.abc import Sequence

from reports.case import Case, Diagnosis, sender
from reports.checks.duplicates import cause_of
from reports.intake.fields import pid_of
from reports.records import Copy

TIMES = {2: "twice", 3: "three times", 4: "four times"}


def twice(case: Case) -> Diagnosis:
    """Say who stored a mail first and who again, and what happened in between."""
    good = case.job.good
    if len(good) < 2:
        return Diagnosis()
    first, second = good[0], good[1]
    often = TIMES.get(len(good), f"{len(good)} times")
    once = f"first by {sender(first)} at {case.at(first.at_ns)}, {_reply(first)}"
    again = f"then again by {sender(second)} at {case.at(second.at_ns)}"
    said = f"Stored {often}: {once}; {again}. {_why_again(case, good[:1], second)}"
    return Diagnosis(said, case.when("stored", second.at_ns))


def _reply(copy: Copy) -> str:
    if copy.flushed is None:
        return "and nobody knows what became of its 250"
    return "its 250 left the sink" if copy.flushed else "its 250 never left the sink"


def _why_again(case: Case, earlier: Sequence[Copy], again: Copy) -> str:
    killed = {pid for kill in case.history.kills for pid in kill.pids}
    words = {
        "sink_error": "Both are one attempt in one conversation: the sink itself stored it twice.",
        "client_resubmit": "The second belongs to another job: a resubmit was taken for a new mail.",
        "broker_redelivery": "The broker gave the same task out again.",
        "in_doubt_retry": "The sender had no answer, and tried again as if nothing had been stored.",
        "double_enqueue": "Two tasks for the same attempt were in the queue.",
        "unavoidable": "The sender had no answer and there was nobody to ask (RFC 1047).",
    }
    cause = cause_of(case.history, earlier, again, killed)
    parts = [words.get(cause, ""), _death(case, earlier[-1], again)]
    if cause not in ("sink_error", "unavoidable", "client_resubmit"):
        parts.append(_asked(case, earlier[-1], again))
    return " ".join(part for part in parts if part)


def _death(case: Case, first: Copy, again: Copy) -> str:
    pid = pid_of(first.worker)
    deaths = [step.at_ns for step in case.steps if step.event == "killed" and step.pid == pid]
    between = [at_ns for at_ns in deaths if first.at_ns <= at_ns <= again.at_ns]
    return f"Pid {pid} was killed in between, at {case.at(between[0])}." if between else ""


def _asked(case: Case, first: Copy, again: Copy) -> str:
    between = [step for step in case.steps if first.at_ns < step.at_ns < again.at_ns]
    if any(step.event == "asked" for step in between):
        return "The receiver was asked in between."
    if case.history.plan.receipts:
        return "The receiver could have been asked, and no question to it is on record."
    return "There were no receipts to ask for."
