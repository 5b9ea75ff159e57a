"""The crash matrix's severed columns: the ledger or the broker cut off while processes stand at every point.

Every point has a process of its own standing at it when the connection is severed. The connection comes back
only after every one of them has gone on and, where it then needs what is severed, has failed.
"""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from system.failpoints import NAMES
from system.settings import Settings
from tests.integration.system.conftest import RedisServer
from tests.integration.system.proxies import Proxy, Toxiproxy
from tests.integration.system.sink import Sink
from tests.integration.system.stack import Stack, assert_once_each, drained, fired
from tests.integration.system.world import accept, check, let_pass, state

# A point left before the connection was severed proves nothing; then all of them stand there once more.
PAUSE_S, ROUNDS = 2, 4
DOUBTS = {name for name in NAMES if name.startswith("doubt.")}
RELAYS = [name for name in NAMES if name.startswith("relay.")]
OTHERS = {name for name in NAMES if name.startswith(("api.", "worker.", "mail."))}
POOL = len(NAMES) - len(RELAYS)


class Standing:
    """A stack whose ledger and broker stand behind proxies, and everything that was sent to it."""

    def __init__(self, folder, servers, proxies, until, threads):
        self.sink = Sink(data_limit_s=3.5)
        self.ledger, self.until, self._threads = servers["ledger"].client, until, threads
        self.ids, self.statuses, self._clients = {}, [], []
        settings = {
            "BROKER_URL": proxies["broker"].url,
            "REDIS_TIMEOUT_S": "0.5",
            "LEASE_S": "4",
            "SMTP_TIMEOUT_S": "3",
            "FAILPOINTS": ",".join(f"{name}=pause:{PAUSE_S}" for name in NAMES),
        }
        self.stack = Stack(folder, proxies["ledger"].url, self.sink, POOL, len(RELAYS), **settings)
        self.points = folder / "points"
        for name in NAMES:
            (self.points / name).touch()

    def arm(self, names):
        for name in names:
            (self.points / name).unlink()

    def wait_fired(self, names):
        self.until(lambda: self.stack.keep_up() and names <= fired(self.stack), 30, f"all of {sorted(names)}")

    def fired_at(self):
        return [(self.points / name).stat().st_mtime for name in NAMES]

    def send(self, number, word):
        """Clients with keys, at the same time, each until its 202; answers their keys."""
        keys = [f"{word}-{len(self._clients) + n}" for n in range(number)]
        self._clients += [self._threads.submit(self._client, key) for key in keys]
        return keys

    def _client(self, key):
        def accepted():
            status, text = self.stack.call(
                "/jobs", {"kind": "email", "to": "a@b.c", "subject": key, "body": "."}, key
            )
            self.statuses.append(status)
            if status == 202:
                self.ids[key] = json.loads(text)["id"]
            return status == 202

        self.until(accepted, 60, key)

    def all_stand(self, stored):
        """Brings a process to every point, the relays last because nothing is published while they stand."""
        doubtful = [f"doubt-{len(self._clients)}-{n}" for n in DOUBTS]
        self.sink.unclear = dict.fromkeys(doubtful, stored)
        self._clients += [self._threads.submit(self._client, key) for key in doubtful]
        self.until(
            lambda: self.stack.keep_up() and not self.sink.unclear and set(doubtful) <= set(self.ids),
            30,
            "the doubts",
        )
        self.arm(DOUBTS)
        for key in doubtful:
            let_pass(self.ledger, self.ids[key])
        self.wait_fired(DOUBTS)
        self.arm(OTHERS)
        self.send(len(OTHERS) + 3, "job")
        self.wait_fired(OTHERS)
        for name in reversed(RELAYS):
            self._lose_a_hint(name)
            self.wait_fired({name})

    def _lose_a_hint(self, name):
        """Gives a relay something to claim in the look that brings it to its point."""
        relays = [process for role, process in self.stack.processes.items() if role.startswith("relay")]
        for relay in relays:
            relay.send_signal(signal.SIGSTOP)
        try:
            key = f"lost-hint-{len(self.ids)}"
            due_at_once = Settings(_env_file=None, republish_first_s=0.001)
            self.ids[key] = accept(self.ledger, due_at_once, key).job_id
            self.arm({name})
        finally:
            for relay in relays:
                relay.send_signal(signal.SIGCONT)

    def jobs(self, *states):
        return {job for job in list(self.ids.values()) if state(self.ledger, job) in states}

    def drain(self):
        for client in self._clients:
            client.result(60)
        self.until(lambda: drained(self.stack), 60, "an empty due set")

    def stop(self):
        self.stack.stop()
        self.sink.stop()


class Since:
    """What the processes have written and answered from now on."""

    def __init__(self, standing):
        self._standing = standing
        self._from = {path: path.stat().st_size for path in standing.stack.folder.glob("*.log")}
        self._answers = len(standing.statuses)

    def count(self, role, words):
        path = self._standing.stack.folder / f"{role}.log"
        with path.open("rb") as log:
            log.seek(self._from[path])
            return log.read().count(words.encode())

    def relays_failed(self):
        return all(self.count(role, "in a row failed") for role in ("relay", "relay-2"))

    def refused(self):
        return 503 in self._standing.statuses[self._answers :]


@pytest.fixture
def proxies(own_redis, tmp_path, until):
    """The servers and the proxies before them, by name."""
    toxiproxy = Toxiproxy()
    (tmp_path / "broker").mkdir()
    servers = {"ledger": own_redis, "broker": RedisServer(tmp_path / "broker")}
    until(toxiproxy.up, 5, "toxiproxy")
    yield servers, {name: Proxy(toxiproxy, name, server) for name, server in servers.items()}
    servers["broker"].close()
    toxiproxy.stop()


@pytest.fixture
def standing(proxies, tmp_path, until):
    # Clients end by themselves once the stack is stopped at the latest: each has its time limit.
    with ThreadPoolExecutor(3 * len(NAMES)) as threads:
        made = Standing(tmp_path, *proxies, until, threads)
        yield made
        made.stop()


def without_ledger(standing):
    """Mails under way arrive, nobody begins another, clients are told that nobody knows."""
    since, under_way = Since(standing), standing.jobs("sending")
    # after_mark, before_dot, after_dot, before_record
    assert len(under_way) >= 4

    def met():
        stored = set(standing.sink.copies)
        return {
            "the API": since.refused(),
            "before the lease, and asking for receipts": since.count("worker", "left to the relay") >= 3,
            "before the body": since.count("worker", "mark not answered") >= 2,
            "the relays": since.relays_failed(),
            "mails under way": all(f"{job}@mailstorm.test" in stored for job in under_way),
        }

    return met


def without_broker(standing):
    """What workers have begun is carried out and recorded, jobs are accepted, no hint gets through."""
    since, begun, ended = Since(standing), standing.jobs("leased", "sending", "in_doubt"), standing.jobs("sent")
    accepted = len(standing.ids)

    def met():
        sent = standing.jobs("sent")
        return {
            "the API": since.count("api", "hint not published") >= 1,
            "clients": len(standing.ids) >= accepted + 3,
            "the relays": since.relays_failed(),
            # The one more has stood before its lease.
            "the workers": begun <= sent and len(sent) > len(ended | begun),
        }

    return met


def severed_at_every_point(standing, proxy, how, effects):
    for _ in range(ROUNDS):
        standing.all_stand(stored=how == "silent")
        met = effects(standing)
        proxy.sever(how)
        in_time = time.time() < min(standing.fired_at()) + PAUSE_S
        if in_time:
            over = max(standing.fired_at()) + PAUSE_S
            standing.until(lambda: standing.stack.keep_up() and time.time() > over, 30, "the pauses' end")
            standing.until(lambda: standing.stack.keep_up() and all(met().values()), 15, f"{met}")
        proxy.heal(how)
        standing.drain()
        if in_time:
            return
    pytest.fail(f"in {ROUNDS} rounds, never did a process stand at every point at the same time")


@pytest.mark.parametrize("how", ["down", "silent"])
@pytest.mark.parametrize(("name", "effects"), [("ledger", without_ledger), ("broker", without_broker)])
def test_severed_at_every_point(proxies, standing, name, how, effects):
    servers, ways = proxies
    severed_at_every_point(standing, ways[name], how, effects)
    assert fired(standing.stack) == set(NAMES)
    assert_once_each(standing.stack, standing.sink, standing.ids)
    check(servers["ledger"].client, standing.ids.values())
