"""Jobs are a pure function of run, seed and number, and hard enough on the mail path."""

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.jobs import MAX_BODY, MIN_BODY, check_run_id, make
from reports.evidence import content_digest

JOBS = [make("run-1", 1, number) for number in range(2000)]


def test_key_and_recipient():
    job = make("run-1", 5, 42)
    assert job.key == "run-1-000042"
    assert job.to == "u000042@run-1.test"
    assert make("run-1", 5, 1_234_567).key == "run-1-1234567"


def test_order_does_not_matter():
    numbers = list(range(200))
    random.Random(3).shuffle(numbers)
    assert sorted((make("run-1", 1, number) for number in numbers), key=lambda job: job.key) == JOBS[:200]


def test_seed_and_run_make_other_mails():
    assert make("run-1", 2, 0).digest != JOBS[0].digest
    assert make("run-2", 1, 0).digest != JOBS[0].digest


def test_everything_is_unique():
    assert len({job.key for job in JOBS}) == len({job.to for job in JOBS}) == len(JOBS)
    assert len({job.digest for job in JOBS}) == len(JOBS)


def test_sizes_are_mostly_small():
    sizes = [len(job.body.encode()) for job in JOBS]
    assert min(sizes) >= MIN_BODY - 5
    assert max(sizes) <= MAX_BODY
    assert statistics.median(sizes) < 700
    assert max(sizes) > 3500


@pytest.mark.parametrize(
    "has",
    [
        lambda job: not job.subject.isascii(),
        lambda job: not job.body.isascii(),
        lambda job: "\n." in job.body,
        lambda job: any(len(line) > 998 for line in job.body.split("\n")),
        lambda job: "blanks   \n" in job.body,
        lambda job: job.body.endswith("\n"),
    ],
    ids=["foreign subject", "foreign body", "leading dot", "long line", "trailing blanks", "blank end"],
)
def test_each_difficulty_occurs_but_is_not_the_rule(has):
    share = sum(map(has, JOBS)) / len(JOBS)
    assert 0.005 < share < 0.3


@given(st.integers(0, 10**7), st.integers())
def test_subjects_are_one_tidy_line(number, seed):
    subject = make("r", seed, number).subject
    assert subject == " ".join(subject.split())
    assert 0 < len(subject) < 100


def test_digest_and_request():
    job = JOBS[0]
    assert job.digest == content_digest(job.subject, job.body)
    assert job.request == {"kind": "email", "to": job.to, "subject": job.subject, "body": job.body}


@pytest.mark.parametrize("run", ["", "-a", "a-", "a b", "a.b", "ä", "a" * 64, "a\n"])
def test_wrong_run_ids(run):
    with pytest.raises(ValueError, match="run id"):
        check_run_id(run)


@pytest.mark.parametrize("run", ["a", "A-1", "a" * 63])
def test_right_run_ids(run):
    assert check_run_id(run) == run
