"""Which kind a job is follows from weights, seed and number alone; every kind asks for exactly one mail."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests import jobs
from loadtests.chores import CHORES, SLEEP_S
from loadtests.mix import KINDS, MAILS_ONLY, Mix, make, of_classes, parse
from system.api.schemas import MODELS, read_job


def test_every_kind_that_the_system_knows_can_be_asked_for():
    assert set(KINDS) == set(MODELS)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**31), number=st.integers(0, 10**7))
def test_the_system_takes_every_job(kind, seed, number):
    job = make("r", seed, number, kind)
    request, wrong = read_job(dict(job.request))
    assert wrong == {}
    assert request.kind == kind
    assert make("r", seed, number, kind) == job


@pytest.mark.parametrize("kind", CHORES)
def test_a_job_that_is_no_mail_has_one_that_tells_its_end(kind):
    job = make("r", 1, 42, kind)
    assert job.key == "r-000042"
    assert job.request["notify"] == job.to == "u000042@r.test"
    # The text names the id that the system will give it, so nobody knows its digest.
    assert job.record == {"to": job.to, "digest": None, "kind": kind, "mail_key": "r-000042+notify"}


def test_a_mail_is_what_it_was():
    job = make("r", 1, 42)
    assert job == jobs.make("r", 1, 42)
    assert job.record == {"to": job.to, "digest": job.digest}
    assert "notify" not in job.request


def test_sleeps_are_short():
    naps = [make("r", 1, number, "sleep").request["duration"] for number in range(300)]
    assert SLEEP_S[0] <= min(naps) < max(naps) <= SLEEP_S[1]


def test_greetings_do_not_fail():
    assert all(make("r", 1, number, "greet").request["name"] != "fail" for number in range(50))


def test_weights_become_shares():
    mix = parse("email=8, greet=1,sleep=1")
    kinds = Counter(mix.kind(1, number) for number in range(5000))
    assert set(kinds) == {"email", "greet", "sleep"}
    assert kinds["email"] / 5000 == pytest.approx(0.8, abs=0.03)
    assert kinds["greet"] / 5000 == pytest.approx(0.1, abs=0.02)


@given(seed=st.integers(), shares=st.integers(1, 7))
def test_any_number_of_processes_makes_the_same_plan(seed, shares):
    mix = parse("email=2,add=1,reverse=1")
    alone = [mix.kind(seed, number) for number in range(50)]
    together = {
        number: mix.kind(seed, number) for share in range(shares) for number in range(share, 50, shares)
    }
    assert [together[number] for number in range(50)] == alone


def test_another_seed_is_another_plan():
    mix = parse("email,add")
    assert [mix.kind(1, n) for n in range(64)] != [mix.kind(2, n) for n in range(64)]


def test_reads_come_on_top():
    mix = parse("email=4,read=2")
    assert {mix.kind(1, number) for number in range(200)} == {"email"}
    assert sum(mix.reads(1, number) for number in range(4000)) / 4000 == pytest.approx(0.5, abs=0.04)
    assert {parse("email=1,read=3").reads(1, number) for number in range(50)} == {3}
    assert MAILS_ONLY.reads(1, 0) == 0


def test_a_replay_knows_its_kinds():
    mix = Mix({"email": 1.0}, recorded={3: "add"})
    assert [mix.kind(1, number) for number in (2, 3)] == ["email", "add"]
    assert str(mix) == "as recorded"


def test_words_read_back():
    for words in ("email=8,greet=1,read=0.5", "sleep=1"):
        assert str(parse(words)) == words
        assert parse(str(parse(words))) == parse(words)
    assert str(parse("email,add=0")) == "email=1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("mail=1", "no kind 'mail'; known: email, greet"),
        ("email=x", "a weight is needed, not 'x'"),
        ("email=-1", "0 or more is needed"),
        ("email=nan", "0 or more is needed"),
        ("email=1,email=2", "twice"),
        ("read=1", "at least one kind of job"),
        ("email=0", "at least one kind of job"),
        (",", "at least one kind of job"),
    ],
)
def test_wrong_mixes_are_refused_in_words(words, said):
    with pytest.raises(ValueError, match=f"--mix: .*{said}"):
        parse(words)


def test_the_chosen_classes_make_the_mix():
    class Mail:
        kind, weight = "email", 8

    class Reader:
        kind, weight = "read", 2

    class Stranger:
        weight = 5

    assert str(of_classes([Mail, Reader, Stranger])) == "email=8,read=2"
    # Readers alone would have nothing to read.
    assert of_classes([Reader]).kind(1, 0) == "email"
    assert str(of_classes([])) == "email=1"
