"""Hints go out in batches; a broker that failed is left alone for a moment, then tried by one thread."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from system import clients
from system.delivery import broker
from system.delivery import hints as module
from system.delivery.hints import Hints, lane_of
from system.kinds import KINDS
from system.settings import Settings
from system.worker.tasks import hint_of


class Interrupted(BaseException):
    pass


class Line:
    """Keeps what is sent; each send waits for `go_on`."""

    def __init__(self):
        self.batches, self.broken, self.interrupted = [], False, False
        self.started, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def send(self, messages):
        self.batches.append([message.args[0] for message in messages])
        self.started.set()
        self.go_on.wait(5)
        if self.interrupted:
            self.interrupted = False
            raise Interrupted
        if self.broken:
            raise ConnectionError("gone")

    def close(self):
        pass


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def hints(line):
    made = Hints(Settings(_env_file=None), 1)
    made._line = line
    return made


@pytest.fixture
def behind(hints, line, until):
    """Starts one offer that stands in the line, and others that wait behind it."""

    def begin(threads, names):
        line.go_on.clear()
        first = threads.submit(hints.offer, "first")
        assert line.started.wait(5)
        others = [threads.submit(hints.offer, name) for name in names]
        until(lambda: len(hints._waiting) == len(names), 5, "the others to wait")
        return [first, *others]

    return begin


def test_a_failure_is_followed_by_silence(hints, line):
    assert hints.offer("a")
    line.broken = True
    assert [hints.offer("b"), hints.offer("c"), hints.offer("d")] == [False, False, False]
    assert line.batches == [["a"], ["b"]]
    hints._ok_after = 0
    line.broken = False
    assert hints.offer("e")
    assert hints.offer("f")


def test_one_trial_at_a_time(hints, line):
    hints._suspect = True
    line.go_on.clear()
    with ThreadPoolExecutor() as threads:
        trial = threads.submit(hints.offer, "a")
        assert line.started.wait(5)
        assert hints.offer("b") is False
        line.go_on.set()
        assert trial.result(5)
    assert line.batches == [["a"]]


def test_who_waits_is_sent_with_the_next_batch(behind, line):
    with ThreadPoolExecutor() as threads:
        offers = behind(threads, ["b", "c", "d"])
        line.go_on.set()
        assert all(offer.result(5) for offer in offers)
    first, then = line.batches
    assert (first, sorted(then)) == (["first"], ["b", "c", "d"])


def test_who_waits_behind_a_failure_does_not_wait_once_more(behind, line):
    line.broken = True
    with ThreadPoolExecutor() as threads:
        offers = behind(threads, ["b", "c"])
        line.go_on.set()
        assert not any(offer.result(5) for offer in offers)
    assert line.batches == [["first"]]


def test_the_relay_does_not_leave_it_alone_and_hears_why(hints, line):
    line.broken = True
    assert not hints.offer("a")
    with pytest.raises(ConnectionError, match="gone"):
        hints.publish(module.DELIVER, "b")
    line.broken = False
    hints.publish(module.DELIVER, "c")
    assert line.batches == [["a"], ["b"], ["c"]]


def test_many_are_one_batch_or_none(hints, line):
    jobs = [(str(n), "email", module.NORMAL) for n in range(3)]
    assert hints.offer_many(jobs) == 3
    line.broken = True
    assert hints.offer_many(jobs) == 0
    assert line.batches == [["0", "1", "2"]] * 2


def test_an_interrupted_thread_hands_over_to_who_waits(behind, hints, line):
    with ThreadPoolExecutor() as threads:
        first, then = behind(threads, ["b"])
        line.interrupted = True
        line.go_on.set()
        with pytest.raises(Interrupted):
            first.result(5)
        assert then.result(5)
    assert hints.offer("c")
    assert line.batches == [["first"], ["b"], ["c"]]


def test_every_kind_has_a_lane():
    assert {name: lane_of(name) for name in KINDS} == {
        name: "email" if name == "email" else "default" for name in KINDS
    }
    assert lane_of("of another release") == "default"


def test_the_first_on_redis_is_the_first_on_rabbitmq():
    assert module.OVERDUE == module.HIGH
    scale = [module.URGENT, module.OVERDUE, module.NORMAL, module.LOW]
    assert [broker.redis_list("email", p)[5:] for p in scale] == ["", "\x06\x163", "\x06\x166", "\x06\x169"]
    assert [broker.rabbit_priority(p) for p in scale] == [9, 6, 3, 0]


@pytest.mark.parametrize(
    ("url", "ca", "wanted"),
    [
        ("redis://h:1/2", "/ca", "redis://h:1/2"),
        (
            "rediss://:p%40w@h:1/2",
            "/c a",
            "rediss://:p%40w@h:1/2?ssl_cert_reqs=required&ssl_check_hostname=true&ssl_ca_certs=%2Fc+a",
        ),
        ("rediss://h", "", "rediss://h?ssl_cert_reqs=required&ssl_check_hostname=true"),
    ],
)
def test_a_redis_certificate_is_checked(url, ca, wanted):
    assert clients.secured(url, ca) == wanted


@pytest.mark.parametrize(
    ("name", "hint"), [("abc", "abc"), (None, "direct"), ("a\nX: y\u00e9", "aX:y"), ("x" * 999, "x" * 200)]
)
def test_a_task_id_cannot_break_out_of_its_header(name, hint):
    assert hint_of(SimpleNamespace(request=SimpleNamespace(id=name, delivery_info={}))) == hint


def test_no_metrics_folder_is_left_behind(tmp_path):
    env = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", "import system.metrics"], env=env, check=True)
    assert list(tmp_path.iterdir()) == []
