"""What the API counts of its own work; the rest of its /metrics comes from Redis (see figures.py).

Used by the app factory. One value over all gunicorn processes.
"""

from __future__ import annotations

from system import metrics

http_requests = metrics.Counter(
    "mail_http_requests_total", "Requests answered", ["method", "route", "status"]
)
http_seconds = metrics.Histogram(
    "mail_http_request_seconds", "Time to answer a request", ["route"], buckets=metrics.SECONDS
)
