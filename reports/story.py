"""One evidence record as one plain sentence of a key's story.

Called by `reports.trails`. Never fails on a damaged record: it says what is there.
"""

from __future__ import annotations

from typing import Any

from reports.evidence import Record


def submission_line(record: Record) -> str:  # noqa: PLR0911 -- one return for each event
    """Say what the load did; empty for records that are no step of a story."""
    attempt = f"try {record.get('try')}"
    match record["event"]:
        case "due":
            return f"due, to {record.get('to')}"
        case "invoke":
            return f"{attempt}: submitted"
        case "ok":
            said = f"job {record['id']}" if record.get("id") else "but its id could not be read"
            return f"{attempt}: accepted ({record.get('status')}), {said}"
        case "fail":
            return f"{attempt}: refused, no effect possible ({record.get('status') or record.get('why')})"
        case "info":
            return f"{attempt}: outcome unknown ({record.get('why')})"
        case "status":
            return f"status read: {record.get('state')}"
    return ""


def sink_line(record: Record) -> str:
    """Say what the sink saw; empty for the ordinary course of a session."""
    match record["event"]:
        case "stored":
            to = ", ".join(map(str, record["to"])) if isinstance(record.get("to"), list) else record.get("to")
            hint = f", led by task {record['hint']}" if record.get("hint") else ""
            return (
                f"stored for {to} in session {record.get('session')}: attempt {record.get('attempt')}"
                f" by {record.get('worker')}{hint}, job {record.get('id')}"
            )
        case "reply":
            left = "left the sink" if record.get("flushed") is True else "never left the sink"
            fault = f" (fault {record['fault']})" if record.get("fault") else ""
            return f"reply {record.get('code')} {left}{fault}"
        case "refused":
            return f"refused at {record.get('stage')} with {record.get('code')}"
        case "aborted":
            return f"conversation broken off at {record.get('stage')}: {record.get('why')}"
        case "session_end" if record.get("how") not in ("quit", "closed"):
            return f"session {record.get('session')} ended: {record.get('how')}"
    return ""


_LEDGER = {
    "accepted": "job recorded",
    "leased": "leased by {worker} (attempt {fence})",
    "sending": "{worker} begins to send the body (attempt {fence})",
    "sent": "marked as sent (attempt {fence})",
    "retry": "put back for a retry (attempt {fence})",
    "done": "done (attempt {fence})",
    "failed": "given up (attempt {fence})",
    "cancelled": "cancelled",
    "in_doubt": "in doubt: nobody knows whether attempt {fence} was stored",
    "asked": "the receiver was asked",
    "republished": "published again",
}


def ledger_line(event: dict[str, Any]) -> str:
    """Say what the system wrote into the job's own trail."""
    template = _LEDGER.get(
        str(event.get("event")), str(event.get("event")).replace("{", "(").replace("}", ")")
    )
    text = template.format(worker=event.get("worker"), fence=event.get("fence"))
    return f"{text}: {event['detail']}" if event.get("detail") else text
