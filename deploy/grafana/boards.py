"""What is on the three dashboards: panels and their queries. Data only; make.py makes JSON of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Panel:
    """One picture: what each line is called (`{{label}}` is filled in) and its query."""

    title: str
    queries: dict[str, str]
    unit: str = "short"
    about: str = ""
    width: int = 12
    kind: str = "timeseries"
    red_from: float | None = None


@dataclass(frozen=True)
class Board:
    """One dashboard; panels fill lines of width 24."""

    uid: str
    title: str
    about: str
    panels: list[Panel] = field(default_factory=list)


def number(title: str, query: str, *, unit: str = "short", red_from: float | None = None) -> Panel:
    """Make a single figure, red from a limit on."""
    return Panel(title, {title: query}, unit=unit, width=4, kind="stat", red_from=red_from)


BACKLOG = Panel(
    "Backlog",
    {
        "backlog": "mailstorm:backlog:jobs",
        "in doubt": "mailstorm:in_doubt:jobs",
        "held": "max(mail_jobs_held)",
    },
    about="Jobs without an end; of these in doubt; of these held for an operator.",
)
OLDEST = Panel(
    "Oldest job",
    {"without an end": "max(mail_oldest_job_age_seconds)", "in doubt": "max(mail_oldest_doubt_age_seconds)"},
    unit="s",
)
FLOW = Panel(
    "Accepted and stored",
    {"accepted": "mailstorm:accepted:rate1m", "stored": "mailstorm:stored:rate1m"},
    unit="ops",
    about="Per second, over the last minute. With chores in the load more is accepted than stored.",
)

SYSTEM = Board(
    "mailstorm-system",
    "Mailstorm: system",
    "What the system under test says of itself.",
    [
        number("Parts down", 'count(up{job!~"rabbitmq|load|harness"} == 0) or vector(0)', red_from=1),
        number("Login refused", "max(mail_login_breaker_open)", red_from=1),
        number("Relay silent for", "mailstorm:relay_silent:seconds", unit="s", red_from=15),
        number("Forgotten jobs", "mailstorm:forgotten:jobs", red_from=1),
        number("Held for an operator", "max(mail_jobs_held)", red_from=1),
        number("Good ends", "mailstorm:delivery:ratio5m", unit="percentunit"),
        FLOW,
        Panel("Jobs ended", {"{{state}}": "mailstorm:ended:rate1m"}, unit="ops"),
        BACKLOG,
        OLDEST,
        Panel(
            "p99 of the parts",
            {
                "API {{route}}": "mailstorm:http_request_seconds:p99_1m",
                "one attempt": "mailstorm:send_seconds:p99_1m",
                "sink's answer to the dot": "mailstorm:reply_seconds:p99_1m",
            },
            unit="s",
            about="Over the last minute. Estimated from buckets.",
        ),
        Panel("Jobs in each state", {"{{state}}": 'max by (state) (mail_jobs{state!~"sent|done"})'}),
        Panel(
            "Answers of the API",
            {"{{status}}": "sum by (status) (rate(mail_http_requests_total[1m]))"},
            unit="ops",
        ),
        Panel("Share of 5xx", {"5xx": "mailstorm:http_5xx:ratio1m"}, unit="percentunit"),
        Panel(
            "Messages at the broker",
            {"{{queue}}": "max by (queue) (mail_broker_queue_length)"},
            about="Hints that no worker has taken yet. A lost hint is brought back by the relay.",
        ),
        Panel(
            "Attempts to send",
            {"{{outcome}}": "sum by (outcome) (rate(mail_smtp_attempts_total[1m]))"},
            unit="ops",
        ),
        Panel("Tasks that run", {"{{instance}}": "mail_tasks_active"}),
        Panel("Republished by the relay", {"hints": "max(rate(mail_republished_total[1m]))"}, unit="ops"),
        Panel(
            "RabbitMQ",
            {"messages": "sum(rabbitmq_queue_messages)"},
            about="Only with RabbitMQ as the broker.",
        ),
        Panel("Workers online in Flower", {"{{worker}}": "flower_worker_online"}),
    ],
)

DELIVERY = Board(
    "mailstorm-delivery",
    "Mailstorm: delivery under fault",
    "What the harness breaks (orange bands) and what becomes of the mails meanwhile.",
    [
        number("Failed already", 'max(chaos_verdict_so_far{verdict="fail"})', red_from=1),
        number("Faults on now", "sum(chaos_fault_active) or vector(0)"),
        number("Accepted", 'max(chaos_mails{what="accepted"})'),
        number("Delivered", 'max(chaos_mails{what="delivered"})'),
        number("Duplicates", 'max(chaos_mails{what="duplicates"})', red_from=1),
        number("Waiting", 'max(chaos_mails{what="waiting"})'),
        FLOW,
        BACKLOG,
        Panel("Faults", {"{{fault}}": "chaos_fault_active"}, about="1 while it is on."),
        Panel(
            "Time to recover",
            {"{{fault}}": "chaos_fault_recovery_seconds"},
            unit="s",
            about="From healed to the old rate of delivery.",
        ),
        OLDEST,
        Panel(
            "Missing at the sink",
            {"mails": "mailstorm:missing_at_sink:mails10m"},
            about="An estimate over 10 minutes; below 0: stored, and not yet told.",
            red_from=5,
        ),
        Panel(
            "Faults of the sink",
            {"{{fault}}": "sum by (fault) (rate(sink_faults_total[1m])) > 0"},
            unit="ops",
        ),
        Panel(
            "Doubts",
            {
                "in doubt": "max(rate(mail_jobs_in_doubt_total[1m]))",
                "settled: {{outcome}}": "max by (outcome) (rate(mail_doubts_resolved_total[1m]))",
            },
            unit="ops",
        ),
        Panel(
            "SMTP sessions by their end",
            {"{{stage}}, {{outcome}}": "sum by (stage, outcome) (rate(sink_sessions_ended_total[1m]))"},
            unit="ops",
        ),
        Panel(
            "Bytes through each proxy",
            {"{{proxy}} {{direction}}": "rate(toxiproxy_proxy_sent_bytes_total[1m])"},
            unit="Bps",
            about="A connection that is cut shows here first.",
        ),
    ],
)

LOAD = Board(
    "mailstorm-load",
    "Mailstorm: load",
    "What was due, what was really sent, and what came of it. Only Locust with web UI tells it.",
    [
        number("Users", "max(load_users)"),
        number("Latest job", "max(load_max_late_seconds)", unit="s", red_from=1),
        number("Accepted", 'max(load_jobs_total{what="accepted"})'),
        number("Delivered", 'max(load_jobs_total{what="delivered"})'),
        number("Duplicates", 'max(load_jobs_total{what="duplicates"})', red_from=1),
        number("Refused", "max(load_refused)"),
        Panel(
            "Due, sent, accepted, delivered",
            {"{{what}}": 'sum by (what) (rate(load_jobs_total{what!="duplicates"}[1m]))'},
            unit="ops",
            about="Where sent is below due, the load was not offered: look at the load's cores.",
        ),
        Panel("Accepted and not yet stored", {"mails": "max(load_waiting)"}),
        Panel("Longest wait", {"from due to now": "max(load_oldest_waiting_seconds)"}, unit="s"),
        Panel("Without a clear answer", {"unknown": "max(load_unknown)", "refused": "max(load_refused)"}),
        Panel("Lateness", {"largest so far": "max(load_max_late_seconds)"}, unit="s", red_from=1),
        FLOW,
    ],
)

ALL = (SYSTEM, DELIVERY, LOAD)
