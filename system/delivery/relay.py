"""The relay: a process that takes what is due from the ledger and publishes hints for it.

Started as `python -m system.delivery.relay`; any number may run, and each is safe to kill. Survives the loss
of Redis and of the broker. Never sends a mail and never decides how a job ended.
"""

from __future__ import annotations

import logging
import signal
import time

import redis
from prometheus_client import CollectorRegistry, Counter, generate_latest

from system import clients, logs, serving
from system.delivery.broker import Broker, BrokerError
from system.delivery.hints import DELIVER, MAINTENANCE, OVERDUE, PROBE_LOGIN, URGENT, Hints, lane_of
from system.delivery.ledger import Ledger
from system.effective import describe
from system.failpoints import hit
from system.settings import DoubtPolicy, Settings, get_settings

log = logging.getLogger(__name__)

BATCH = 200
# While more republished hints than this wait (they are consumed first), workers have enough to do. Then only
# ended leases and doubts are published, and with a batch more than this nothing at all.
BACKLOG = 100
RELEASE_HELD_S = 10.0
MAX_WAIT_S = 1.0
ALIVE_S = 30.0
# A probe that nobody ran in time is superseded by the next. Not shorter, because its end is an absolute time
# and clocks differ.
PROBE_LIVES_S = 5.0


class Relay:
    """The loop; `run` returns after `stop`."""

    def __init__(self, settings: Settings, ledger: Ledger, hints: Hints, broker: Broker) -> None:
        self._s = settings
        self._ledger = ledger
        self._hints = hints
        self._broker = broker
        self._broker_lost = False
        # A plain flag: an Event may deadlock when it is set in a signal handler.
        self._stopping = False
        self._release_at = 0.0
        self._turned_at = time.monotonic()
        self.registry = CollectorRegistry()
        self.ticks = Counter("mail_relay_ticks_total", "Looks at the due set", registry=self.registry)
        self.published = Counter("mail_relay_published_total", "Hints published", registry=self.registry)
        self.errors = Counter("mail_relay_errors_total", "Looks that failed", registry=self.registry)

    def stop(self) -> None:
        """Ends the loop after its present step."""
        self._stopping = True

    def run(self) -> None:
        """Looks, publishes and waits until stopped; no failure ends it."""
        failures = 0
        while not self._stopping:
            self._turned_at = time.monotonic()
            claimed = 0
            try:
                self._release_held()
                claimed = self.tick()
                failures = 0
            except Exception as error:
                failures += 1
                self.errors.inc()
                log.warning("look %d in a row failed: %s: %s", failures, type(error).__name__, error)
            if claimed < BATCH:
                self._wait(min(MAX_WAIT_S, self._s.relay_interval_s * 2 ** min(failures, 10)))

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(0.1, left))

    def tick(self) -> int:
        """One look; answers how many jobs were due, at most a batch."""
        self.ticks.inc()
        if self._broker_lost:
            self._ledger.beat()
            # Claiming without a broker would only make the intervals longer.
            self._broker.ping()
            self._broker_lost = False
        claimed = self._ledger.claim_due(BATCH, BACKLOG, self._overdue())
        due = claimed.due
        hit("relay.after_claim")
        done = 0
        try:
            if claimed.probe:
                lives_s = max(PROBE_LIVES_S, self._s.login_probe_s)
                self._hints.publish(PROBE_LOGIN, queue=MAINTENANCE, expires=lives_s)
            for job in due:
                priority = URGENT if job.urgent else OVERDUE
                self._hints.publish(DELIVER, job.job_id, queue=lane_of(job.kind), priority=priority)
                done += 1
                self.published.inc()
        except Exception:
            self._broker_lost = True
            if due[done:]:
                self._ledger.unclaim([job.job_id for job in due[done:]])
            raise
        hit("relay.after_publish")
        if due:
            log.info("published %d hints, first %s", done, due[0].job_id)
        return claimed.looked_at

    def _overdue(self) -> int:
        try:
            return self._broker.overdue()
        except BrokerError:
            self._broker_lost = True
            raise

    def alive(self) -> bool:
        """Whether the loop still turns."""
        return time.monotonic() - self._turned_at < ALIVE_S

    def _release_held(self) -> None:
        nobody = not self._s.receipts_url and self._s.doubt_policy is DoubtPolicy.HOLD
        if nobody or time.monotonic() < self._release_at:
            return
        number = self._ledger.release_held()
        if number:
            log.info("%d held doubts can be settled now", number)
        else:
            self._release_at = time.monotonic() + RELEASE_HELD_S

    def close(self) -> None:
        """Closes every connection, once the loop has ended."""
        for part in (self._ledger.client, self._hints, self._broker):
            part.close()

    def pages(self) -> dict[str, serving.Page]:
        """What the relay serves over HTTP."""
        text = "text/plain; version=0.0.4; charset=utf-8"
        return {
            "/metrics": lambda: (200, text, generate_latest(self.registry)),
            "/health": lambda: (
                (200, "text/plain", b"ok\n") if self.alive() else (503, "text/plain", b"stuck\n")
            ),
        }


def make_relay(settings: Settings) -> Relay:
    """A relay with its own connections."""
    client: redis.Redis = clients.ledger(settings)
    hints = Hints(settings, settings.redis_timeout_s)
    return Relay(settings, Ledger(client, settings), hints, Broker(settings, settings.redis_timeout_s))


def main() -> None:
    """Runs a relay until SIGTERM or SIGINT."""
    settings = get_settings()
    logs.configure(settings, "relay")
    log.info("%s", describe(settings))
    relay = make_relay(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: relay.stop())
    if settings.relay_metrics_port:
        serving.MetricsServer(settings.metrics_host, settings.relay_metrics_port, relay.pages()).start()
    log.info("relay looks every %g s", settings.relay_interval_s)
    relay.run()
    relay.close()
    log.info("relay stopped")


if __name__ == "__main__":
    main()
