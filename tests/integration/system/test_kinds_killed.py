"""Every kind of job while its workers are killed: each ends in the right state, with its result, once."""

import json
import os
import signal
import threading
from collections import Counter

import psutil
import pytest

from tests.integration.system.sink import Sink
from tests.integration.system.stack import Stack, drained

EACH = 200
# The first kills come quickly, before all is done; later ones leave the system time to get on.
PAUSES_S, PAUSE_S = (0.3, 0.3, 0.3), 1.5


def bodies():
    """(key, body, state, result) of every job."""
    for n in range(EACH):
        fails = n % 20 == 0
        yield from [
            (f"email-{n}", {"kind": "email", "to": f"u{n}@b.c", "subject": f"s{n}", "body": "."},
             "SUCCESS", f"Email sent to u{n}@b.c"),
            (f"greet-{n}", {"kind": "greet", "name": "fail" if fails else f"N{n}"},
             *(("FAILURE", None) if fails else ("SUCCESS", f"Hello N{n}"))),
            (f"sleep-{n}", {"kind": "sleep", "duration": 0.02}, "SUCCESS", "Processed for 0.02 seconds."),
            (f"add-{n}", {"kind": "add", "a": n, "b": 0.5}, "SUCCESS", n + 0.5),
            (f"reverse-{n}", {"kind": "reverse", "text": f"ä{n}"}, "SUCCESS", f"ä{n}"[::-1]),
            (f"sentiment-{n}", {"kind": "sentiment", "text": f"good {n}" if n % 2 else f"bad {n}"},
             "SUCCESS", "positive" if n % 2 else "negative"),
        ]  # fmt: skip


class Watch(threading.Thread):
    """Looks at the greetings all the time: a file that is seen must never change again."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self._folder, self._ended = folder, threading.Event()
        self.seen, self.changed = {}, []

    def run(self):
        while not self._ended.wait(0.05):
            self.look()

    def look(self):
        for path in self._folder.glob("[!.]*"):
            stat = path.stat()
            now = (stat.st_ino, stat.st_mtime_ns, path.read_text())
            if self.seen.setdefault(path.name, now) != now:
                self.changed.append(path.name)

    def end(self):
        self._ended.set()
        self.join()
        self.look()


def hit_somebody(system, whole):
    """SIGKILL of the whole worker, or of one of its pool processes. Answers whether there was one."""
    worker = system.processes["worker"]
    children = psutil.Process(worker.pid).children() if worker.poll() is None else []
    if not children:
        return False
    os.kill(worker.pid if whole else children[0].pid, signal.SIGKILL)
    if whole:
        worker.wait()
    return True


# Over RabbitMQ it takes half a minute more, which CI does not have.
@pytest.fixture(params=["redis", pytest.param("rabbitmq", marks=pytest.mark.slow)])
def broker(request, own_redis):
    if request.param == "redis":
        return own_redis.url[:-1] + "1"
    return request.getfixturevalue("rabbit_server").emptied().url


def test_every_kind_under_killed_workers(own_redis, broker, tmp_path, until):
    greetings = tmp_path / "greetings"
    greetings.mkdir()
    sink, watch = Sink(data_limit_s=1), Watch(greetings)
    system = Stack(tmp_path, own_redis.url, sink, BROKER_URL=broker, GREET_DIR=str(greetings))
    watch.start()
    wanted = {key: rest for key, *rest in bodies()}
    try:
        ids, hits = offer(system, wanted, until), 0
        while not drained(system):
            hits += hit_somebody(system, whole=hits % 2 == 0)
            threading.Event().wait(PAUSES_S[hits] if hits < len(PAUSES_S) else PAUSE_S)
            assert hits < 100, "the system does not get on"
        assert hits >= 3, "too few kills to show anything"
        watch.end()
        for key, (body, state, result) in wanted.items():
            job = json.loads(system.call(f"/jobs/{ids[key]}")[1])
            assert (job["state"], job["result"]) == (state, result), (body, job)
            if state == "FAILURE":
                assert job["error"] == "Simulated task failure"
        assert Counter(mail["X-Job-Key"] for mail in sink.mails) == Counter(f"email-{n}" for n in range(EACH))
        greeted = {
            f"{ids[key]}.txt": f"{rest[2]}\n" for key, rest in wanted.items() if "Hello" in str(rest[2])
        }
        assert {name: text for name, (_, _, text) in watch.seen.items()} == greeted
        assert watch.changed == []
        assert list(greetings.glob(".*")) == [], "no draft of a killed process is left"
    finally:
        system.stop()
        sink.stop()


def offer(system, wanted, until):
    """Sends everything in two batches, as often as it takes."""
    ids, keys = {}, list(wanted)
    for first in range(0, len(keys), 1000):
        some = keys[first : first + 1000]
        jobs = [{**wanted[key][0], "key": key} for key in some]

        def accepted(some=some, jobs=jobs):
            system.keep_up()
            status, text = system.call("/jobs:batch", {"jobs": jobs}, f"batch-{some[0]}")
            if status == 202:
                ids.update({key: one["id"] for key, one in zip(some, json.loads(text)["jobs"], strict=True)})
            return status == 202

        until(accepted, 30, "the batch")
    return ids
