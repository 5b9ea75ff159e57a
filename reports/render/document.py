"""The verdict as data: `verdict.json`, for machines; its schema is verdict.schema.json beside this file.

Called by `write_all`. Holds no time of judging, so that judging again gives the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from reports.verdict import Verdict

SCHEMA_VERSION = 2


def as_dict(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict in the shape of the schema."""
    plan = verdict.plan
    return {
        "schema_version": SCHEMA_VERSION,
        "scenario": plan.scenario,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "run": plan.run,
        "began": began(verdict),
        "seed": plan.seed,
        "delivery": plan.delivery,
        "broker": plan.broker,
        "arrivals": plan.arrivals,
        "model": plan.model,
        "mix": plan.mix,
        "revision": plan.revision,
        "machine": plan.machine,
        "counts": verdict.counts,
        "checks": [
            {
                "name": check.name,
                "verdict": check.verdict,
                "count": check.count,
                "keys": list(check.keys),
                "summary": check.summary,
                "details": check.details,
            }
            for check in verdict.checks
        ],
        "limits": limit_rows(verdict),
        "faults": verdict.faults,
        "kills": verdict.kills,
        "latency_s": verdict.latency_s,
        "trails": {key: asdict(trail) for key, trail in sorted(verdict.trails.items())},
        "command": list(plan.command),
        "versions": plan.versions,
    }


def began(verdict: Verdict) -> str | None:
    """Say when the load began, UTC, to the second; None: it never did."""
    try:
        moment = datetime.fromtimestamp(verdict.began_s, UTC) if verdict.began_s is not None else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def limit_rows(verdict: Verdict) -> list[dict[str, Any]]:
    """Return each threshold of the plan with its outcome, as the check `limits` found it."""
    rows = (check.details.get("limits", []) for check in verdict.checks if check.name == "limits")
    return [row for found in rows for row in found]


def as_json(verdict: Verdict) -> str:
    """Return verdict.json."""
    return json.dumps(as_dict(verdict), indent=1, ensure_ascii=True) + "\n"
