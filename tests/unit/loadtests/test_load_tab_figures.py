"""What the Delivery tab makes of counts: figures that are known or say why not, rates, and who may use it."""

import pytest

from loadtests.tab.figures import QUIET_S, Since, Still, System, figures, read_metrics
from loadtests.tab.guard import refusal
from loadtests.tab.picture import LENGTH, Picture

TALLY = {
    "due": 12.0,
    "sent": 12.0,
    "accepted": 10.0,
    "refused": 1.0,
    "unknown": 0.0,
    "delivered": 7.0,
    "duplicates": 0.0,
    "waiting": 3.0,
    "processes": 1.0,
    "blind": 0.0,
    "oldest_waiting_s": 7.5,
}
OVER = Still(QUIET_S, QUIET_S)
DONE = System(due=0.0, held=1.0, in_doubt=1.0)


def shown(tally=None, system=DONE, still=OVER):
    return {each.name: each for each in figures(TALLY | (tally or {}), system, still)}


def test_what_is_known_is_a_number():
    cards = shown()
    assert {name: card.value for name, card in cards.items()} == {
        "accepted": 10,
        "delivered": 7,
        "waiting": 3,
        "in_doubt": 1,
        "duplicates": 0,
        "lost": 2,
        "oldest_waiting_s": 7.5,
    }
    assert cards["accepted"].words == "12 offered, 1 refused"
    assert cards["lost"].bad
    assert not cards["duplicates"].bad
    assert shown({"duplicates": 1.0})["duplicates"].bad


def test_without_a_sink_delivery_is_not_known_and_never_zero():
    cards = shown({"blind": 1.0})
    for name in ("delivered", "waiting", "duplicates", "lost", "oldest_waiting_s"):
        assert (cards[name].value, cards[name].bad) == (None, False)
        assert "give --sink" in cards[name].words
    assert cards["accepted"].value == 10


def test_one_blind_process_of_several_makes_the_sum_unknown():
    assert shown({"blind": 1.0, "processes": 4.0})["delivered"].value is None


@pytest.mark.parametrize(
    ("tally", "system", "still", "value", "words"),
    [
        ({}, DONE, Still(QUIET_S - 0.1, 99.0), None, "nothing due, not for 5 s yet"),
        ({}, System(due=4.0), Still(), None, "4 are still due"),
        ({}, System(why="not known: it is down"), Still(), None, "not known: it is down"),
        ({"oldest_waiting_s": 4.9}, System(why="down"), Still(), 0, "no accepted mail has waited for 5 s"),
        ({}, System(due=0.0, held=0.0), Still(QUIET_S, 0.0), 1, "at least"),
        ({}, DONE, Still(QUIET_S, 0.0), None, "in doubt"),
        ({"processes": 0.0}, DONE, OVER, None, "no run yet"),
    ],
)
def test_lost_is_only_said_when_it_can_be_known(tally, system, still, value, words):
    card = shown(tally, system, still)["lost"]
    assert (card.value, words in card.words, card.bad) == (value, True, bool(value)), card


def test_what_has_held_begins_anew_when_it_does_not():
    since = Since()
    looks = ((0, True), (3, True), (4, False), (5, True), (6, True))
    assert [since.see(now_s, holds) for now_s, holds in looks] == [0, 3, 0, 0, 1]


def test_the_targets_own_words():
    text = '# TYPE x gauge\nmail_jobs_due 3.0\nmail_jobs_held 2.0\nmail_jobs{state="in_doubt"} 5.0\n'
    assert read_metrics(text) == System(3.0, 2.0, 5.0, "")
    assert read_metrics("nothing here").in_doubt is None
    assert "no mail_jobs_due" in read_metrics("").why


def counts(due, accepted=None, delivered=None):
    return {
        "due": float(due),
        "accepted": float(due if accepted is None else accepted),
        "delivered": delivered,
    }


def test_rates_are_taken_over_the_last_samples():
    picture = Picture(over=2)
    for second, due in enumerate((0, 10, 40, 60)):
        picture.add(100.0 + second, counts(due, delivered=float(due) / 2))
    _, samples = picture.since(0)
    assert samples[-1] == [103.0, 25.0, 25.0, 12.5]
    assert picture.rate("delivered", 102.0, 103.0) == pytest.approx((10 + 12.5) / 2)
    assert picture.rate("delivered", 0.0, 1.0) is None


def test_a_new_run_begins_at_zero_and_never_below():
    picture = Picture()
    for second, due in enumerate((900, 1000, 5, 15)):
        picture.add(float(second), counts(due))
    _, samples = picture.since(0)
    assert [sample[1] for sample in samples] == [0.0, 100.0, 5.0, 7.5]
    assert {sample[3] for sample in samples} == {None}


def test_a_reload_gets_everything_that_is_kept_and_a_poll_only_the_rest():
    picture = Picture()
    for second in range(LENGTH + 20):
        picture.add(float(second), counts(second))
    after, samples = picture.since(0)
    assert (after, len(samples), samples[0][0]) == (LENGTH + 20, LENGTH, 20.0)
    assert picture.since(after - 2)[1] == samples[-2:]
    assert picture.since(after)[1] == []
    assert len(picture.since(after + 99)[1]) == LENGTH, "another process counted that far"


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"Host": "127.0.0.1:8089"} | JSON, None),
        ("POST", {"Host": "127.0.0.1:8089", "Origin": "http://127.0.0.1:8089"} | JSON, None),
        ("POST", {"Host": "[::1]:8089"} | JSON, None),
        ("POST", {"Host": "load:8089", "Sec-Fetch-Site": "same-origin"} | JSON, None),
        ("POST", {"Host": "load.example.net"} | JSON, None),
        ("GET", {"Host": "localhost:8089"}, None),
        ("POST", {"Host": "localhost:8089", "Content-Type": "text/plain"}, 415),
        ("POST", {"Host": "127.0.0.1:8089", "Origin": "http://127.0.0.1:1"} | JSON, 403),
        ("GET", {"Host": "127.0.0.1:8089", "Origin": "http://evil.example"}, 403),
        ("GET", {"Host": "127.0.0.1:8089", "Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", {"Host": "evil.example:8089", "Origin": "http://evil.example:8089"} | JSON, 403),
        ("GET", {"Host": "evil.example"}, 403),
        ("GET", {"Host": "["}, 403),
        ("GET", {}, 403),
    ],
)
def test_only_locusts_own_page_may_use_it(method, headers, status):
    found = refusal(method, headers, own_host="load.example.net")
    assert (found and found[1]) == status
