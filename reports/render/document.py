"""The verdict as data: `verdict.json`, for machines; its schema is verdict.schema.json beside this file.

Called by `write_all`. Holds no time of judging, so that judging again gives the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from reports.verdict import Verdict

SCHEMA_VERSION = 1


def as_dict(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict in the shape of the schema."""
    plan = verdict.plan
    return {
        "schema_version": SCHEMA_VERSION,
        "scenario": plan.scenario,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "run": plan.run,
        "seed": plan.seed,
        "delivery": plan.delivery,
        "broker": plan.broker,
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
        "faults": verdict.faults,
        "kills": verdict.kills,
        "latency_s": verdict.latency_s,
        "trails": {key: asdict(trail) for key, trail in sorted(verdict.trails.items())},
        "command": list(plan.command),
        "versions": plan.versions,
    }


def as_json(verdict: Verdict) -> str:
    """Return verdict.json."""
    return json.dumps(as_dict(verdict), indent=1, ensure_ascii=True) + "\n"
