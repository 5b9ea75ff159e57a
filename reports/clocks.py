"""The clocks of each fault and each kill, as rows for the report and verdict.json.

Called by `reports.verdict`. Times are seconds since the load began; null: not on record.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import Any

from reports.checks.leases import in_flight
from reports.history import History
from reports.records import Fault

MAX_KILLS = 200
NEVER_NS = 2**63 - 1


def fault_rows(history: History) -> list[dict[str, Any]]:
    """One row per fault, in order of injection."""
    stored = sorted(at_ns for job in history.jobs.values() if (at_ns := job.first_stored_ns))
    ordered = sorted(history.faults.values(), key=lambda fault: (fault.inject_ns or 0, fault.name))
    leftovers = Leftovers(history) if ordered else None
    return [_row(history, fault, stored, leftovers) for fault in ordered]


class Leftovers:
    """When the mails that had been accepted by some moment were all stored."""

    def __init__(self, history: History) -> None:
        jobs = [job for job in history.jobs.values() if job.ok_ns]
        jobs.sort(key=lambda job: job.ok_ns)
        self.accepted = array("q", [job.ok_ns for job in jobs])
        # One mail that never arrives keeps everything from then on from being drained.
        self.drained = array("q", accumulate((job.first_stored_ns or NEVER_NS for job in jobs), max))

    def drained_ns(self, moment_ns: int) -> int | None:
        """Return when the last mail accepted by this moment was stored; None: never."""
        index = bisect_right(self.accepted, moment_ns) - 1
        if index < 0:
            return moment_ns
        return None if self.drained[index] == NEVER_NS else max(self.drained[index], moment_ns)


def _row(history: History, fault: Fault, stored: list[int], leftovers: Leftovers | None) -> dict[str, Any]:
    first = drained = None
    if fault.healed_ns is not None:
        drained = leftovers.drained_ns(fault.healed_ns) if leftovers else None
        if (index := bisect_left(stored, fault.healed_ns)) < len(stored):
            first = stored[index]
    return {
        "fault": fault.name,
        "kind": fault.kind,
        "inject_s": history.seconds(fault.inject_ns),
        "bite_s": history.seconds(fault.bite_ns),
        "heal_s": history.seconds(fault.heal_ns),
        "healed_s": history.seconds(fault.healed_ns),
        "first_success_s": history.seconds(first),
        "recovered_s": history.seconds(fault.recovered_ns),
        "drained_s": history.seconds(drained),
        "recovery_s": fault.recovery_s,
        "recovered": fault.recovery_s is not None,
        "proof": fault.proof,
        "read_back": fault.read_back,
        "detail": fault.detail,
    }


def kill_rows(history: History) -> list[dict[str, Any]]:
    """One row per kill: how many mails it interrupted, and the seconds from it until they were stored.

    A mail that a later kill hit again is timed from that one: its wait says nothing about this kill's lease.
    """
    rows = []
    for kill in sorted(history.kills, key=lambda kill: (kill.at_ns, kill.name))[:MAX_KILLS]:
        caught = in_flight(history, kill)
        waits = sorted(
            one.stored_s
            for one in caught
            if one.stored_s is not None and not one.stored_before and one.leased_again_s is None
        )
        rows.append(
            {
                "process": kill.name,
                "pids": sorted(kill.pids),
                "at_s": history.seconds(kill.at_ns),
                "in_flight": len(caught),
                "stored_before": sum(1 for one in caught if one.stored_before),
                "delivered": len(waits),
                "never": sum(1 for one in caught if one.stored_s is None),
                "hit_again": sum(1 for one in caught if one.leased_again_s is not None),
                "max_s": round(waits[-1], 3) if waits else None,
                "all_s": [round(wait, 3) for wait in waits[:50]],
            }
        )
    return rows
