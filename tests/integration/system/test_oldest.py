"""The ages of the oldest job without an end and of the oldest doubt, as /metrics tells them."""

import pytest

from system.delivery.ledger import PREFIX
from system.delivery.overview import read_overview
from tests.integration.system.world import accept, check, claimed, let_pass


@pytest.fixture
def client(redis_server):
    return redis_server.client


def older(client, members, job, by_s):
    """As if it had come so much earlier."""
    client.zincrby(PREFIX + members, -1000 * by_s, job)


def test_no_job_no_age(ledger, client, settings):
    seen = read_overview(client)
    assert (seen.oldest_job_s, seen.oldest_doubt_s) == (0.0, 0.0)


def test_the_oldest_job_counts_until_it_ends_whatever_its_state(ledger, client, settings):
    first, second = (accept(client, settings()).job_id for _ in range(2))
    older(client, "open", first, 100)
    older(client, "open", second, 50)
    fence = ledger.lease(first, "one", "w", "").fence
    ledger.retry(first, fence, "try again", "w")
    assert read_overview(client).oldest_job_s == pytest.approx(100, abs=5)
    ledger.cancel(first)
    assert read_overview(client).oldest_job_s == pytest.approx(50, abs=5)
    ledger.cancel(second)
    assert read_overview(client).oldest_job_s == 0.0
    check(client, [first, second])


def test_the_oldest_doubt_counts_until_it_is_settled(ledger, client, settings):
    job = accept(client, settings()).job_id
    ledger.mark_sending(job, ledger.lease(job, "one", "w", "").fence, "w")
    let_pass(client, job)
    claimed(ledger)
    older(client, "doubts", job, 30)
    assert read_overview(client).oldest_doubt_s == pytest.approx(30, abs=5)
    ledger.verdict(job, "operator", "stored", "", "operator")
    assert read_overview(client).oldest_doubt_s == 0.0
