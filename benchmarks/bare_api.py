"""The bare Flask route that the API is compared with: it checks nothing, and calls `.delay()`.

Run by gunicorn with the same processes and threads as the API.
"""

from __future__ import annotations

from flask import Flask, request

from benchmarks.bare_worker import send_mail

app = Flask(__name__)


@app.get("/health")
def health() -> dict[str, str]:
    """Answers."""
    return {"status": "ok"}


@app.post("/jobs")
def create() -> tuple[dict[str, str], int]:
    """Publishes the mail as it came."""
    data = request.get_json()
    task = send_mail.delay(data["to"], data["subject"], data["body"])
    return {"id": task.id}, 202
