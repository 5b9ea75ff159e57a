"""What is certain about a run that still goes on: its mails by number, and whether it has failed already.

Fed with every scrape, read by the harness's own /metrics. It can find a failure early, and never says pass
before the judge does: what has not been shown to be wrong is unknown.
"""

from __future__ import annotations

import threading

VERDICTS = ("fail", "unknown", "pass")
ACCEPTED, SENT = "mail_jobs_accepted_total", 'mail_jobs_terminal_total{state="sent"}'
STORED, TWICE = "sink_messages_stored_total", "sink_duplicates_total"


class SoFar:
    """The figures of one run. Safe to read from other threads."""

    def __init__(self) -> None:
        self.forgive_duplicates = False
        """The plan allows duplicates that nobody could avoid, and a counter does not know which these are."""
        self._lock = threading.Lock()
        self._latest: dict[str, dict[str, float]] = {}
        self._sent = 0.0
        self._same_sink = True
        self._certain: list[str] = []
        self._verdict = ""

    def see(self, target: str, samples: dict[str, float]) -> None:
        """Take one scrape of `api` or `sink`; others say nothing about mails."""
        with self._lock:
            if target == "sink":
                self._look_at_sink(samples)
            self._latest[target] = samples

    def end(self, verdict: str) -> None:
        """The judge has spoken, and this is what it said."""
        self._verdict = verdict

    @property
    def verdict(self) -> str:
        """`fail` as soon as that is certain, `unknown` until the judge has spoken."""
        return self._verdict or ("fail" if self._certain else "unknown")

    @property
    def certain(self) -> list[str]:
        """What is certainly wrong, in words."""
        with self._lock:
            return list(self._certain)

    def mails(self) -> dict[str, float]:
        """Accepted jobs, mails delivered, duplicates, jobs that wait; only what has been seen."""
        with self._lock:
            api, sink = self._latest.get("api", {}), self._latest.get("sink", {})
        found = {}
        if ACCEPTED in api:
            found["accepted"] = api[ACCEPTED]
            found["waiting"] = api["mail_jobs_due"] + api["mail_jobs_held"]
        if STORED in sink:
            found["delivered"] = _different(sink)
            found["duplicates"] = sink[TWICE]
        return found

    def _look_at_sink(self, samples: dict[str, float]) -> None:
        if STORED not in samples:
            return
        before = self._latest.get("sink", samples)
        # A new sink counts from zero: from then on its figures prove no loss.
        self._same_sink &= samples[STORED] >= before.get(STORED, 0.0)
        if samples[TWICE] > 0 and not self.forgive_duplicates:
            self._note("a mail was stored twice")
        # So many were said to be sent before this scrape began: then the sink must have them.
        if self._same_sink and self._sent > _different(samples):
            self._note("a mail was said to be sent and was not stored")
        self._sent = self._latest.get("api", {}).get(SENT, 0.0)

    def _note(self, words: str) -> None:
        if words not in self._certain:
            self._certain.append(words)


def _different(sink: dict[str, float]) -> float:
    return sink[STORED] - sink[TWICE]
