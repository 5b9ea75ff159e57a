"""Tries each thing that the system connects to, on its own, and says in one line what is wrong and where.

Called by `python -m system check`. Every check has its own connection and a limit in time. Sends no mail,
leaves nothing behind, and never shows a password.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import redis
from amqp.exceptions import AccessRefused, NotAllowed
from kombu import entity
from redis.exceptions import NoPermissionError

from system import clients
from system.delivery.outcomes import Stage
from system.delivery.receipts import HttpReceipts
from system.delivery.session import Refused, Session
from system.effective import MASK, secrets_of
from system.settings import DoubtPolicy, Settings
from system.worker.app import make_app

# One step (a connect, a reply) of a check, and all of it.
STEP_S = 2.0
LIMIT_S = 12.0
REDIS_MIN = (6, 2)

_WHERE_SET = {
    "ledger": "LEDGER_URL",
    "broker": "BROKER_URL",
    "smtp": "SMTP_HOST, SMTP_PORT",
    "receipts": "RECEIPTS_URL",
}
_SMTP_SETTINGS: dict[Stage, str] = {
    "connect": "SMTP_HOST, SMTP_PORT",
    "ehlo": "SMTP_HOST, SMTP_PORT",
    "starttls": "SMTP_STARTTLS, SMTP_CA_FILE",
    "auth": "SMTP_USERNAME, SMTP_PASSWORD",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look showed; `advice` names the settings to look at."""

    part: str
    level: Literal["ok", "warn", "FAIL"]
    words: str
    advice: str = ""

    def line(self) -> str:
        """The finding as it is printed."""
        advice = f" -> look at {self.advice}" if self.advice else ""
        return f"{self.level:<4}  {self.part:<8}  {self.words}{advice}"


class Wrong(Exception):
    """A part does not work; words, and the settings to look at."""

    def __init__(self, words: str, advice: str) -> None:
        super().__init__(words)
        self.advice = advice


Look = Callable[[Settings], Iterator[Finding]]


def check(settings: Settings, limit_s: float = LIMIT_S) -> list[Finding]:
    """Looks at all parts side by side; takes at most about `limit_s` seconds, whatever hangs."""
    looks: dict[str, Look] = {"ledger": ledger, "broker": broker, "smtp": smtp, "receipts": receipts}
    found: dict[str, list[Finding]] = {}
    threads = []
    for part, look in looks.items():
        found[part] = [Finding(part, "FAIL", f"no answer within {limit_s:g} s", _WHERE_SET[part])]
        thread = threading.Thread(target=_look, args=(part, look, settings, found), daemon=True)
        thread.start()
        threads.append(thread)
    until = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return [finding for part in looks for finding in found[part]]


def ledger(settings: Settings) -> Iterator[Finding]:
    """The Redis with the job records: whether it answers, and keeps what it is told."""
    client = clients.ledger(settings, STEP_S, retries=0)
    try:
        info: dict[str, Any] = client.info()
    finally:
        client.close()
    version = str(info.get("redis_version", "?"))
    secure = " over TLS" if settings.ledger_url.startswith("rediss://") else ""
    yield Finding("ledger", "ok", f"Redis {version} at {_where(settings.ledger_url)} answers{secure}")
    if tuple(int(n) for n in version.split(".")[:2] if n.isdigit()) < REDIS_MIN:
        yield Finding("ledger", "warn", f"Redis {version} is older than 6.2")
    if not info.get("aof_enabled"):
        yield Finding("ledger", "warn", "a crash of Redis loses jobs: set appendonly yes in redis.conf")
    if (policy := info.get("maxmemory_policy")) != "noeviction":
        words = f"a full Redis throws jobs away ({policy}): set maxmemory-policy noeviction in redis.conf"
        yield Finding("ledger", "warn", words)


def broker(settings: Settings) -> Iterator[Finding]:
    """The broker: takes a message into a queue of its own, and gives it back."""
    app = make_app(settings, STEP_S)
    name = f"mailstorm-check-{uuid.uuid4().hex}"
    connection = app.connection_for_write()
    try:
        connection.connect()
        make_queue: Any = entity.Queue
        queue = make_queue(name, durable=False, exclusive=True, auto_delete=True).bind(
            connection.default_channel
        )
        queue.queue_declare()
        producer = connection.Producer(connection.default_channel)
        producer.publish(name, routing_key=name, exchange="", retry=False, confirm_timeout=STEP_S)
        message = queue.get(no_ack=True)
        queue.delete()
        if message is None or message.payload != name:
            raise Wrong("takes a message and does not give it back", "BROKER_URL")
    finally:
        connection.release()
        app.close()
    kind = "RabbitMQ" if settings.on_rabbitmq else "Redis"
    words = f"{kind} at {_where(settings.broker_url)} takes a message and gives it back"
    yield Finding("broker", "ok", words)


def smtp(settings: Settings) -> Iterator[Finding]:
    """The mail server, up to the login, with the very code that the workers use; no mail is begun."""
    session = Session(settings, socket.gethostname() or "localhost")
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        session.open()
        session.noop()
    except Refused as error:
        words = f"{where} says {error.outcome.words}"
        raise Wrong(words, _SMTP_SETTINGS.get(error.outcome.stage, _WHERE_SET["smtp"])) from error
    except ssl.SSLError as error:
        raise Wrong(f"{where}: {error}", "SMTP_CA_FILE, SMTP_HOST (must be in the certificate)") from error
    except (OSError, smtplib.SMTPException) as error:
        raise Wrong(_words(error, where), _WHERE_SET["smtp"]) from error
    finally:
        session.leave()
    login = f"the login as {settings.smtp_username} works" if settings.smtp_username else "no login is set"
    tls = ", with STARTTLS" if settings.smtp_starttls else ""
    yield Finding("smtp", "ok", f"{where} answers, {login}{tls}")
    if settings.smtp_username and not settings.smtp_starttls:
        yield Finding("smtp", "warn", "the password goes over the wire in clear: set SMTP_STARTTLS=true")


def receipts(settings: Settings) -> Iterator[Finding]:
    """Who can be asked whether a mail was stored, and whether its time limit fits the lease."""
    if not settings.receipts_url:
        does = "sent again" if settings.doubt_policy is DoubtPolicy.RESEND else "held for an operator"
        yield Finding("receipts", "ok", f"nobody can be asked: a mail in doubt is {does} (DOUBT_POLICY)")
        return
    where = _where(settings.receipts_url)
    try:
        limit = HttpReceipts(settings.receipts_url, settings.receipts_timeout_s).limits()["data_limit_s"]
    except (OSError, ValueError) as error:
        raise Wrong(_words(error, where), "RECEIPTS_URL") from error
    if not isinstance(limit, int | float) or not 0 < limit < settings.lease_s:
        words = f"the receiver's data limit ({limit} s) is not below LEASE_S ({settings.lease_s:g} s)"
        raise Wrong(words, "LEASE_S, SMTP_DATA_LIMIT_S")
    yield Finding("receipts", "ok", f"{where} answers, its data limit ({limit:g} s) fits the lease")
    if limit > settings.smtp_data_limit_s:
        words = f"the receiver's data limit is {limit:g} s, SMTP_DATA_LIMIT_S says less"
        yield Finding("receipts", "warn", words, "SMTP_DATA_LIMIT_S")


def _look(part: str, look: Look, settings: Settings, found: dict[str, list[Finding]]) -> None:
    findings: list[Finding] = []
    try:
        findings += look(settings)
    except Wrong as error:
        findings = [Finding(part, "FAIL", str(error), error.advice)]
    except Exception as error:
        findings = [_failure(part, settings, error)]
    secrets = secrets_of(settings)
    found[part] = [_masked(finding, secrets) for finding in findings]


def _failure(part: str, settings: Settings, error: Exception) -> Finding:
    """What an error of the ledger's or the broker's client means; of the others all are foreseen."""
    variable = _WHERE_SET[part]
    where = _where(str(getattr(settings, f"{part}_url", "the mail server")))
    tls = f"TLS_CA_FILE, {variable}"
    chain = list(_chain(error))
    if any(isinstance(one, redis.AuthenticationError | AccessRefused) for one in chain):
        return Finding(part, "FAIL", f"{where} refuses the login", f"user and password in {variable}")
    if any(isinstance(one, NoPermissionError) for one in chain):
        return Finding(part, "FAIL", f"{where}: the user may not do this: {error}", f"its rights, {variable}")
    if any(isinstance(one, NotAllowed) for one in chain):
        return Finding(part, "FAIL", f"{where}: no such virtual host, or no right to it", variable)
    if any(isinstance(one, ssl.SSLError) for one in chain):
        return Finding(part, "FAIL", f"{where}: TLS fails: {error}", tls)
    if isinstance(error, redis.ResponseError):
        return Finding(part, "FAIL", f"{where} says {error}", variable)
    return Finding(part, "FAIL", _words(error, where), variable)


def _words(error: BaseException, where: str) -> str:
    chain = list(_chain(error))
    if any(isinstance(one, ConnectionRefusedError) for one in chain):
        return f"nothing listens at {where}"
    if any(isinstance(one, socket.gaierror) for one in chain):
        return f"no such host: {where}"
    if any(isinstance(one, TimeoutError | redis.TimeoutError) for one in chain):
        return f"{where} does not answer in time"
    return f"{where}: {type(error).__name__}: {error}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _masked(finding: Finding, secrets: frozenset[str]) -> Finding:
    words = finding.words
    for secret in sorted(secrets, key=len, reverse=True):
        words = words.replace(secret, MASK)
    return Finding(finding.part, finding.level, " ".join(words.split()), finding.advice)


def _where(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{host or ''}{parts.path if parts.path != '/' else ''}" or url.partition(":")[0]
