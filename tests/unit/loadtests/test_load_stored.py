"""The watch over the sink's feed: every mail once, the right clock, and a sink that comes and goes."""

import gevent
import pytest

from loadtests import stored
from loadtests.stored import SinkFeed, Watch

WALL_S = 1_763_740_000.0


class Sink:
    """A feed as the sink gives it; `trouble` is raised instead of an answer, its clock is `ahead_s`."""

    def __init__(self, folder="f1", ahead_s=0.0, took_s=0.0):
        self.folder, self.mails, self.trouble, self.asked = folder, [], None, []
        self.ahead_s, self.took_s, self.now_s = ahead_s, took_s, WALL_S

    def wall_s(self):
        return self.now_s

    def store(self, *keys):
        self.mails += [{"mail": 1, "at_s": self.now_s + self.ahead_s, "key": key} for key in keys]

    def __call__(self, after, most, limit_s):
        self.asked.append(after)
        if self.trouble:
            raise self.trouble
        self.now_s += self.took_s
        now_s = self.now_s + self.ahead_s
        self.now_s += self.took_s
        found = self.mails[after : after + most]
        last = len(self.mails)
        return {
            "folder": self.folder,
            "mails": found,
            "next": after + len(found),
            "last": last,
            "now_s": now_s,
        }


class Tally:
    blind = True
    waiting = 0
    given_up = 0

    def __init__(self):
        self.heard = []

    def stored(self, key, at_wall_s, error_s=0.0):
        self.heard.append((key, at_wall_s, error_s))
        return True

    def give_up(self):
        self.given_up += 1
        return self.waiting

    @property
    def keys(self):
        return [key for key, _, _ in self.heard]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    for name in ("BEAT_S", "HURRY_S", "LONGEST_S"):
        monkeypatch.setattr(stored, name, 0.001)


@pytest.fixture
def watching():
    """Run watches; all have ended at the end."""
    made = []

    def make(sink, tally):
        watch = Watch(sink, tally, sink.wall_s)
        watch.begin()
        made.append((watch, gevent.spawn(watch.run)))
        return watch

    yield make
    for watch, greenlet in made:
        watch.conclude(0.0)
        greenlet.join(5)
        assert greenlet.successful()


def until(condition):
    with gevent.Timeout(5):
        while not condition():
            gevent.sleep(0.001)


def test_it_tells_of_each_mail_once_and_not_of_older_ones(watching, monkeypatch):
    monkeypatch.setattr(stored, "PAGE", 3)
    sink, tally = Sink(), Tally()
    sink.store("old", "older")
    watching(sink, tally)
    sink.store("a", "b", None, "c", "d", "e", "f")
    until(lambda: len(tally.keys) == 6)
    sink.store("g")
    until(lambda: len(tally.keys) == 7)
    assert tally.keys == list("abcdefg")
    assert not tally.blind


def test_its_own_clock_is_the_measure():
    sink, tally = Sink(ahead_s=3600.0, took_s=0.02), Tally()
    watch = Watch(sink, tally, sink.wall_s)
    watch.begin()
    sink.store("a")
    stored_s = sink.now_s
    sink.took_s = 0.5
    watch._look()
    ((_, at_s, error_s),) = tally.heard
    # The quickest answer of all sets it.
    assert at_s == pytest.approx(stored_s, abs=1e-3)
    assert error_s == pytest.approx(0.02, abs=1e-3)


def test_a_sink_that_is_down_is_asked_again(watching):
    sink, tally = Sink(), Tally()
    watching(sink, tally)
    sink.store("a")
    until(lambda: tally.keys == ["a"])
    for trouble in (ConnectionRefusedError(), TimeoutError(), ValueError("503"), KeyError("last")):
        sink.trouble = trouble
        until(lambda: tally.blind)
        sink.trouble = None
        until(lambda: not tally.blind)
    sink.store("b")
    until(lambda: tally.keys == ["a", "b"])


def test_down_at_the_beginning_it_leaves_nothing_out(watching):
    sink, tally = Sink(), Tally()
    sink.trouble = ConnectionRefusedError()
    watching(sink, tally)
    sink.store("a")
    sink.trouble = None
    until(lambda: tally.keys == ["a"])


def test_another_sink_is_followed_from_its_beginning(watching):
    sink, tally = Sink(), Tally()
    watching(sink, tally)
    sink.store("a", "b")
    until(lambda: tally.keys == ["a", "b"])
    sink.folder, sink.mails = "f2", []
    sink.store("c", "d", "e")
    until(lambda: len(tally.keys) == 5)
    # The same folder with fewer mails is a new one as well.
    sink.mails = []
    sink.store("f")
    until(lambda: len(tally.keys) == 6)
    assert tally.keys == list("abcdef")


def test_the_end_comes_when_nothing_is_waited_for(watching):
    sink, tally = Sink(), Tally()
    watch = watching(sink, tally)
    tally.waiting = 1
    ending = gevent.spawn(watch.conclude, 60.0)
    gevent.sleep(0.01)
    assert not ending.ready()
    tally.waiting = 0
    ending.get(timeout=5)
    assert tally.given_up == 0
    asked = len(sink.asked)
    gevent.sleep(0.01)
    assert len(sink.asked) == asked


@pytest.mark.parametrize(
    ("limit_s", "trouble", "given_up"), [(0.02, None, 1), (0.0, None, 0), (0.02, OSError("down"), 0)]
)
def test_what_is_missing_at_the_end_is_told_when_it_can_be_known(watching, limit_s, trouble, given_up):
    sink, tally = Sink(), Tally()
    watch = watching(sink, tally)
    tally.waiting = 3
    sink.trouble = trouble
    watch.conclude(limit_s)
    assert tally.given_up == given_up


def test_its_last_look_is_after_the_end(watching):
    sink, tally = Sink(), Tally()
    watch = watching(sink, tally)
    sink.store("a")
    watch.conclude(0.0)
    assert tally.keys == ["a"]


def test_asked_to_end_again_it_waits_no_longer(watching):
    sink, tally = Sink(), Tally()
    watch = watching(sink, tally)
    tally.waiting = 1
    first = gevent.spawn(watch.conclude, 60.0)
    gevent.sleep(0.01)
    with gevent.Timeout(5):
        watch.conclude(60.0)
    first.get(timeout=5)
    assert tally.given_up == 1


def test_a_wrong_address_is_told():
    with pytest.raises(ValueError, match="http://"):
        SinkFeed("127.0.0.1:8025")


@pytest.mark.parametrize("answer", [{}, [], "words", None, {"now_s": 1.0}, {"now_s": 1.0, "folder": "f"}])
def test_what_is_no_sink_is_told_and_leaves_nobody_sighted(answer):
    tally = Tally()
    tally.blind = False
    watch = Watch(lambda after, most, limit_s: answer, tally)
    watch.begin()
    assert not watch._look()
    assert tally.blind
