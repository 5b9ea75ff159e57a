"""Every environment variable of the system, typed and checked at start, in one place.

Read by the API, the worker and the relay through `get_settings()`. Never prints a secret; a process with a
wrong value ends with words that name the variable, the value and what is allowed.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

from limits import parse_many
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from system import addresses
from system.failpoints import FailpointError, parse

Seconds = Annotated[float, Field(gt=0, le=10_000_000)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Delivery(StrEnum):
    """What stands between a message from the broker and a second mail."""

    LEDGER = "ledger"
    CLAIM_FIRST = "claim-first"
    MARK_AFTER = "mark-after"
    NONE = "none"


class DoubtPolicy(StrEnum):
    """What happens to a mail in doubt where no receipt can be had."""

    HOLD = "hold"
    RESEND = "resend"


class QueueType(StrEnum):
    """How RabbitMQ keeps the queues. Redis knows no difference."""

    CLASSIC = "classic"
    QUORUM = "quorum"


class LogFormat(StrEnum):
    """How log lines look: for people, or one JSON object a line."""

    TEXT = "text"
    JSON = "json"


class Settings(BaseSettings):
    """All settings; the field's name in capitals is the variable. Times are seconds."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    # What guards a mail against a second copy; only `ledger` keeps the promise, the others are there
    # to be convicted.
    delivery: Delivery = Delivery.LEDGER
    # Redis with the job records: the truth. Wants appendonly yes and maxmemory-policy noeviction.
    ledger_url: str = "redis://127.0.0.1:6379/0"
    # Redis or RabbitMQ (amqp://, amqps://) for the hints. May be lost without losing a job.
    broker_url: str = "redis://127.0.0.1:6379/1"
    # RabbitMQ only. Classic queues know priorities; quorum queues survive the loss of a node of a cluster.
    broker_queue_type: QueueType = QueueType.CLASSIC
    # RabbitMQ only: longest wait for its word that it has a message.
    broker_confirm_timeout_s: Seconds = 3
    # PEM file with the authorities for rediss:// and amqps://. Empty: the system's own.
    tls_ca_file: str = ""
    # Longest wait for one connect or one command of the ledger.
    redis_timeout_s: Seconds = 2
    # Celery's own redelivery time; only the policies with late acknowledgement depend on it.
    visibility_timeout_s: Seconds = 60

    smtp_host: str = "127.0.0.1"
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 1025
    # Empty: no login.
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    # Demand STARTTLS before the login; the certificate must be valid for smtp_host.
    smtp_starttls: bool = False
    # PEM file with the authorities to check it against. Empty: the system's own.
    smtp_ca_file: str = ""
    # Longest wait for one reply. Below lease_s, so that a lease can be renewed between two slow replies.
    smtp_timeout_s: Seconds = 5
    # What the *receiver* limits its DATA phase to, from its 354 to the final dot. RFC 5321 4.5.3.2 has real
    # servers wait 2 minutes for DATA, 3 for each block and 10 for the reply, so for one of those set 600 here
    # and 660 as lease_s: a doubt is then settled after eleven minutes instead of eight seconds.
    smtp_data_limit_s: Seconds = 5
    mail_from: str = "mailstorm@mailstorm.test"
    # Right side of every Message-ID.
    mail_domain: str = "mailstorm.test"

    # "Did you store this Message-ID?" is asked here. Empty: nobody can be asked, doubt_policy decides.
    receipts_url: str = ""
    receipts_timeout_s: Seconds = 2
    # hold: never twice, waits for an operator. resend: at least once, the trail tells of the doubt.
    doubt_policy: DoubtPolicy = DoubtPolicy.HOLD

    # How long a worker owns a mail. Longer than smtp_data_limit_s: when a lease ends, the old conversation
    # can no longer be completed, because the receiver has cut it off. That makes asking for a receipt final.
    lease_s: Seconds = 30
    # How often the relay looks at the due set.
    relay_interval_s: Seconds = 0.25
    # First and longest wait before a hint that led to nothing is published again; doubles in between.
    republish_first_s: Seconds = 5
    republish_max_s: Seconds = 60
    # Exponential backoff with full jitter after a temporary refusal. The job fails max_age_s after the first
    # of them; time in which logins were refused, or in which the mail was in doubt, does not count.
    retry_base_s: Seconds = 1
    retry_cap_s: Seconds = 60
    max_age_s: Seconds = 86_400
    # First wait before trying a refused login again; doubles up to eight times this.
    login_probe_s: Seconds = 5
    # How long a worker holds on to a 250 that the ledger could not take, before it leaves it to a receipt.
    outcome_retry_s: Annotated[float, Field(ge=0)] = 30

    # Where the kind `greet` writes its files; made when it is missing, shared by all workers.
    greet_dir: Path = Path("greetings")
    # A recipient with `fail` in it is refused by the worker itself: tried four times, then failed. For demos.
    simulate_failures: bool = False

    # Callers must bring it: Authorization: Bearer, X-API-Key, or as the password in a browser. Empty: nobody.
    api_key: SecretStr = SecretStr("")
    # Requests for new jobs from one address, such as `50/second;1000/minute`; above it 429. Empty: no limit.
    rate_limit: str = ""
    # Reverse proxies in front whose X-Forwarded-For may be believed.
    proxy_hops: Annotated[int, Field(ge=0, le=10)] = 0
    # With so many unfinished jobs new ones are refused with 429; 0: never.
    max_backlog: Annotated[int, Field(ge=0)] = 100_000

    # How long a result can be had from Celery's result backend (keys celery-task-meta-<id>). 0: not at all.
    result_ttl_s: Annotated[int, Field(ge=0, le=10_000_000)] = 3600
    # Beat: how often finished jobs are cleared from the list, and how often doubts are summed up.
    cleanup_every_s: Seconds = 600
    digest_every_s: Seconds = 3600
    # Who gets the digest by mail, when there is a doubt. Empty: it is only logged.
    digest_to: str = ""

    log_format: LogFormat = LogFormat.TEXT

    # Largest request body in bytes, of one job and of a batch.
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 256 * 1024
    max_batch_bytes: Annotated[int, Field(ge=1024, le=256 * 1024 * 1024)] = 16 * 1024 * 1024
    # An idempotency key is kept as long as its job is not finished, and this long after.
    idempotency_ttl_s: Annotated[int, Field(ge=1)] = 86_400
    # How long a finished job can be asked for. Not below idempotency_ttl_s: a replay must find its job.
    job_ttl_s: Annotated[int, Field(ge=1)] = 7 * 86_400

    # Prometheus ports on metrics_host; 0 = off.
    metrics_host: str = "127.0.0.1"
    worker_metrics_port: Port = 0
    relay_metrics_port: Port = 0
    # Directory where the processes of one service add up their counters; one for each service. Empty: a
    # temporary one.
    prometheus_multiproc_dir: str = ""
    # Tests only: NAME=crash|pause:SECONDS|exit, comma separated, see system/failpoints.py.
    failpoints: str = ""

    @field_validator("mail_from", "digest_to")
    @classmethod
    def _address(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.field_name == "digest_to":
            return value
        return addresses.check_address(value)

    @field_validator("mail_domain")
    @classmethod
    def _domain(cls, value: str) -> str:
        return addresses.check_domain(value)

    @field_validator("api_key")
    @classmethod
    def _header(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not (text.isascii() and text.isprintable()) or text != text.strip():
            raise ValueError("must be printable ASCII without spaces at its ends, to fit into a header")
        return value

    @field_validator("ledger_url")
    @classmethod
    def _redis(cls, value: str) -> str:
        if not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("allowed: redis://, rediss:// or unix://")
        return value

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, value: str) -> str:
        if not value.startswith(("redis://", "rediss://", "amqp://", "amqps://")):
            raise ValueError("allowed: redis://, rediss://, amqp:// or amqps://")
        return value

    @field_validator("receipts_url")
    @classmethod
    def _http(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("allowed: http://, https:// or empty")
        return value.rstrip("/")

    @field_validator("rate_limit")
    @classmethod
    def _rates(cls, value: str) -> str:
        if value:
            try:
                parse_many(value)
            except ValueError:
                raise ValueError("allowed: limits such as 50/second;1000/minute, or empty") from None
        return value

    @field_validator("smtp_ca_file", "tls_ca_file")
    @classmethod
    def _file(cls, value: str) -> str:
        if value and not Path(value).is_file():
            raise ValueError("must be a readable PEM file, or empty")
        return value

    @field_validator("failpoints")
    @classmethod
    def _failpoints(cls, value: str) -> str:
        try:
            parse(value)
        except FailpointError as error:
            raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        rules = [
            ("SMTP_DATA_LIMIT_S", self.smtp_data_limit_s < self.lease_s, f"below LEASE_S ({self.lease_s:g})"),
            ("SMTP_TIMEOUT_S", self.smtp_timeout_s < self.lease_s, f"below LEASE_S ({self.lease_s:g})"),
            (
                "REPUBLISH_MAX_S",
                self.republish_max_s >= self.republish_first_s,
                f"at least REPUBLISH_FIRST_S ({self.republish_first_s:g})",
            ),
            (
                "RETRY_CAP_S",
                self.retry_cap_s >= self.retry_base_s,
                f"at least RETRY_BASE_S ({self.retry_base_s:g})",
            ),
            (
                "JOB_TTL_S",
                self.job_ttl_s >= self.idempotency_ttl_s,
                f"at least IDEMPOTENCY_TTL_S ({self.idempotency_ttl_s})",
            ),
        ]
        for name, holds, allowed in rules:
            if not holds:
                raise ValueError(f"{name}={getattr(self, name.lower()):g} is not allowed: must be {allowed}")
        return self

    @property
    def guarded(self) -> bool:
        """Whether the ledger's protocol is in force (and the relay has something to do)."""
        return self.delivery is Delivery.LEDGER

    @property
    def on_rabbitmq(self) -> bool:
        """Whether the broker is RabbitMQ (else Redis)."""
        return self.broker_url.startswith("amqp")


SECRETS = frozenset({"smtp_password", "ledger_url", "broker_url", "api_key"})


def explain(error: ValidationError) -> str:
    """One line per wrong setting, naming the variable, the value (never a secret) and what is allowed."""
    lines = []
    for item in error.errors():
        message = item["msg"].removeprefix("Value error, ")
        if not item["loc"]:
            lines.append(message)
            continue
        name = str(item["loc"][0])
        value = "(not shown)" if name in SECRETS else repr(item.get("input"))
        lines.append(f"{name.upper()}={value} is not allowed: {message}")
    return "wrong settings:\n  " + "\n  ".join(lines)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        SystemExit: a value is wrong; the message says which and why.

    """
    try:
        return Settings()
    except ValidationError as error:
        raise SystemExit(explain(error)) from None
