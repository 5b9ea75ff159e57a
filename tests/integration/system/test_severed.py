"""The crash matrix's severed columns: the ledger or the broker cut off while processes stand at every point.

Every point has a process of its own standing at it when the connection is severed. The connection comes back
only after every one of them has gone on and, where it then needs what is severed, has failed.
"""

import json
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

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

# What the process that stands at a point writes next while the ledger (the broker) is away. None: it writes
# nothing by itself, the other conditions of its column speak for it.
_ASKS, _MARKS, _LOOKS = "left to the relay", "not answered by the ledger", "in a row failed"
_DONE, _SETTLED, _NO_HINT = "recorded: sent", "in doubt: ", "hint not published"
LEDGER_GONE = {
    "api.before_accept": None,
    "api.after_accept": None,
    "api.after_publish": None,
    "worker.before_lease": _ASKS,
    "worker.after_lease": _MARKS,
    "mail.before_mark": _MARKS,
    "mail.after_mark": None,
    "mail.before_dot": None,
    "mail.after_dot": None,
    "worker.before_record": None,
    "worker.after_record": _DONE,
    "doubt.before_ask": _ASKS,
    "doubt.after_ask": _ASKS,
    "doubt.after_verdict": _SETTLED,
    "relay.after_claim": _LOOKS,
    "relay.after_publish": _LOOKS,
}
BROKER_GONE = {
    "api.before_accept": _NO_HINT,
    "api.after_accept": _NO_HINT,
    "api.after_publish": None,
    **{name: _DONE for name in NAMES if name.startswith(("worker.", "mail."))},
    **dict.fromkeys(sorted(DOUBTS), _SETTLED),
    **dict.fromkeys(RELAYS, _LOOKS),
}
# These hold an outcome in their hands, and keep it until the ledger is back.
INSIST = ("mail.after_mark", "mail.before_dot", "mail.after_dot", "worker.before_record")


class Standing:
    """A stack whose ledger and broker stand behind proxies, and everything that was sent to it."""

    def __init__(self, folder, servers, proxies, until, threads):
        self.sink = Sink(data_limit_s=3.5)
        self.ledger, self.until, self._threads = servers["ledger"].client, until, threads
        self.ids, self.statuses, self._clients, self._over = {}, [], [], False
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
        self.until(lambda: self.stack.keep_up() and names <= fired(self.stack), 60, f"all of {sorted(names)}")

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

        self.until(lambda: self._over or accepted(), 60, key)

    def all_stand(self, stored):
        """Brings a process to every point, the relays last because nothing is published while they stand."""
        doubtful = [f"doubt-{len(self._clients)}-{n}" for n in DOUBTS]
        self.sink.unclear = dict.fromkeys(doubtful, stored)
        self._clients += [self._threads.submit(self._client, key) for key in doubtful]
        self.until(
            lambda: self.stack.keep_up() and not self.sink.unclear and set(doubtful) <= set(self.ids),
            60,
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
        self._over = True
        self.stack.stop()
        self.sink.stop()


@pytest.fixture
def proxies(own_redis, tmp_path, until):
    """The servers and the proxies before them, by name."""
    (tmp_path / "broker").mkdir()
    with ExitStack() as ends:
        toxiproxy = Toxiproxy()
        ends.callback(toxiproxy.stop)
        servers = {"ledger": own_redis, "broker": RedisServer(tmp_path / "broker")}
        ends.callback(servers["broker"].close)
        until(toxiproxy.up, 10, "toxiproxy")
        yield servers, {name: Proxy(toxiproxy, name, server) for name, server in servers.items()}


@pytest.fixture
def standing(proxies, tmp_path, until):
    with ThreadPoolExecutor(3 * len(NAMES)) as threads:
        made = Standing(tmp_path, *proxies, until, threads)
        yield made
        made.stop()


def lines_after(folder, point):
    """What the process that stood at `point` last wrote after it; of the API, what all of its threads did."""
    for log in folder.glob("*.log"):
        _, found, text = log.read_text().rpartition(f"failpoint {point}:")
        if found:
            before = log.read_text()[: -len(text)].splitlines()[-1]
            pool = re.search(r"/(ForkPoolWorker-\d+)\]", before)
            return [line for line in text.splitlines()[1:] if not pool or f"/{pool[1]}]" in line]
    raise AssertionError(f"nobody stood at {point}")


def goes_on(standing, words):
    """Waits until the process of every point has written what it must write next."""
    for point, wanted in words.items():
        standing.until(
            lambda wanted=wanted, point=point: (
                standing.stack.keep_up()
                and any(wanted in line for line in lines_after(standing.stack.folder, point))
            ),
            15,
            f"{wanted!r} after {point}",
        )


def without_ledger(standing):
    """Mails under way arrive, nobody begins another, and a client is told that nobody knows."""
    answers, under_way = len(standing.statuses), standing.jobs("sending")
    yield
    assert len(under_way) >= len(INSIST)
    goes_on(standing, {point: words for point, words in LEDGER_GONE.items() if words})
    standing.until(lambda: 503 in standing.statuses[answers:], 15, "an answer 503")
    ids = {f"{job}@mailstorm.test" for job in under_way}
    standing.until(lambda: ids <= set(standing.sink.copies), 15, "the mails under way")
    yield
    goes_on(standing, dict.fromkeys(INSIST, "recorded: sent"))


def without_broker(standing):
    """What workers have begun is carried out and recorded, and jobs are accepted without a hint."""
    begun, accepted = standing.jobs("leased", "sending", "in_doubt"), len(standing.ids)
    yield
    goes_on(standing, {point: words for point, words in BROKER_GONE.items() if words})
    standing.until(lambda: begun <= standing.jobs("sent"), 15, "an end of what was begun")
    standing.until(lambda: len(standing.ids) >= accepted + 3, 15, "three answers 202")
    yield


EFFECTS = {"ledger": without_ledger, "broker": without_broker}


def severed_while_all_stand(standing, proxy, how, effects):
    """One round; False if somebody had gone on before the connection was severed."""
    standing.all_stand(stored=how == "silent")
    steps = effects(standing)
    next(steps)
    proxy.sever(how)
    in_time = time.time() < min(standing.fired_at()) + PAUSE_S
    if in_time:
        over = max(standing.fired_at()) + PAUSE_S
        standing.until(lambda: standing.stack.keep_up() and time.time() > over, 30, "the pauses' end")
        next(steps)
    proxy.heal(how)
    if in_time:
        next(steps, None)
    standing.drain()
    return in_time


@pytest.mark.parametrize("name", EFFECTS)
def test_severed_at_every_point(proxies, standing, name):
    servers, ways = proxies
    for how in ("down", "silent"):
        rounds = (severed_while_all_stand(standing, ways[name], how, EFFECTS[name]) for _ in range(ROUNDS))
        assert any(rounds), f"{how}: in {ROUNDS} rounds, processes never stood at all points at one time"
        assert fired(standing.stack) == set(NAMES)
        assert_once_each(standing.stack, standing.sink, standing.ids)
        check(servers["ledger"].client, standing.ids.values())


def test_every_point_is_in_both_columns():
    assert set(LEDGER_GONE) == set(BROKER_GONE) == set(NAMES)
