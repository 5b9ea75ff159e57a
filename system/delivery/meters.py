"""What a worker counts of its attempts; one value over all its pool processes.

Used by the worker's side only, so that the API does not show a second set of zeros.
"""

from __future__ import annotations

from system import metrics

smtp_attempts = metrics.Counter(
    "mail_smtp_attempts_total", "Attempts to send a mail, by how they ended", ["outcome"]
)
smtp_connections = metrics.Counter("mail_smtp_connections_total", "Connections opened to the SMTP server")
smtp_logins = metrics.Counter("mail_smtp_logins_total", "Logins at the SMTP server", ["outcome"])
send_seconds = metrics.Histogram(
    "mail_send_seconds", "Time of one attempt, from its lease to its outcome", buckets=metrics.SECONDS
)
chores = metrics.Counter("mail_chores_total", "Runs of jobs that are no mails", ["kind", "outcome"])
tasks_active = metrics.Gauge("mail_tasks_active", "Tasks running now", multiprocess_mode="livesum")

for _outcome in ("sent", "retry", "failed", "in_doubt", "login", "stale"):
    smtp_attempts.labels(_outcome)
for _outcome in ("ok", "rejected"):
    smtp_logins.labels(_outcome)
