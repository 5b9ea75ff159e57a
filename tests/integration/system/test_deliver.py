"""One job carried out in this process: what each outcome leads to, with a mailer that ends as told."""

import pytest
import redis

from system.delivery.deliver import deliver
from system.delivery.outcomes import Outcome
from system.delivery.parts import Parts
from system.delivery.policies import TryLater, deliver_unguarded
from system.delivery.receipts import Receipt
from tests.integration.system.world import accept, check, let_pass, state, trail


class Mailer:
    """Ends each attempt as told; asks the gate as the real one does."""

    def __init__(self, *kinds):
        self.kinds, self.bodies = list(kinds), 0

    def send(self, raw, recipient, gate):
        kind = self.kinds.pop(0)
        if kind in {"sent", "in_doubt"}:
            assert gate.still_mine()
            assert gate.begin()
            assert gate.in_time()
            self.bodies += 1
        return Outcome(kind, "dot", f"words of {kind}")


class Receipts:
    def __init__(self, answer):
        self.answer = answer

    def ask(self, message_id):
        return Receipt(self.answer, "words")


@pytest.fixture
def client(redis_server):
    return redis_server.client


@pytest.fixture
def parts(settings, ledger):
    def make(*kinds, receipts=None, **changes):
        asks = Receipts(receipts) if receipts else None
        return Parts(settings(**changes), ledger, Mailer(*kinds), asks, "host:1")

    return make


@pytest.mark.parametrize(
    ("kind", "led_to"),
    [
        ("sent", "sent"),
        ("failed", "failed"),
        ("retry", "retry"),
        ("login", "retry"),
        ("stale", "retry"),
        ("in_doubt", "sending"),
    ],
)
def test_each_outcome(parts, client, settings, kind, led_to):
    job = accept(client, settings()).job_id
    assert deliver(parts(kind), job, "hint") == kind
    assert state(client, job) == led_to
    check(client, [job])


@pytest.mark.parametrize(
    ("receipts", "policy", "led_to", "bodies"),
    [
        ("stored", "hold", "sent", 1),
        ("absent", "hold", "sent", 2),
        ("unknown", "resend", "in_doubt", 1),
        (None, "hold", "in_doubt", 1),
        (None, "resend", "sent", 2),
    ],
)
def test_a_doubt_is_settled_by_receipt_or_policy(
    parts, client, settings, ledger, receipts, policy, led_to, bodies
):
    job = accept(client, settings()).job_id
    tools = parts("in_doubt", "sent", receipts=receipts, doubt_policy=policy)
    deliver(tools, job, "hint")
    assert deliver(tools, job, "hint") == "busy"
    let_pass(client, job)
    assert deliver(tools, job, "hint") == ("sent" if bodies == 2 else "doubt")
    assert state(client, job) == led_to
    assert tools.mailer.bodies == bodies
    assert "in_doubt" in trail(ledger, job)
    check(client, [job])


def test_the_receipt_is_asked_under_the_domain_of_the_acceptance(parts, client, settings):
    job = accept(client, settings(mail_domain="then.test")).job_id
    tools, asked = parts("in_doubt", receipts="stored", mail_domain="now.test"), []
    built, real = [], tools.mailer.send
    tools.mailer.send = lambda raw, *rest: built.append(raw) or real(raw, *rest)
    ask = tools.receipts.ask
    tools.receipts.ask = lambda message_id: asked.append(message_id) or ask(message_id)
    deliver(tools, job, "hint")
    let_pass(client, job)
    deliver(tools, job, "hint")
    assert asked == [f"{job}@then.test"]
    assert f"Message-ID: <{job}@then.test>".encode() in built[0]


def test_a_second_hint_for_a_finished_job_costs_nothing(parts, client, settings):
    job = accept(client, settings()).job_id
    tools = parts("sent")
    assert [deliver(tools, job, "h") for _ in range(3)] == ["sent", "terminal", "terminal"]


def test_a_250_is_kept_until_the_ledger_takes_it(parts, client, settings, monkeypatch):
    job = accept(client, settings()).job_id
    tools = parts("sent")
    real, tries = tools.ledger.sent, []

    def flaky(*args):
        tries.append(args)
        if len(tries) < 3:
            raise redis.ConnectionError("away")
        return real(*args)

    monkeypatch.setattr(tools.ledger, "sent", flaky)
    assert deliver(tools, job, "h") == "sent"
    assert (len(tries), state(client, job)) == (3, "sent")


def test_a_250_that_cannot_be_kept_becomes_a_doubt(parts, client, settings, monkeypatch):
    job = accept(client, settings()).job_id
    tools = parts("sent", outcome_retry_s=0)

    def away(*args):
        raise redis.ConnectionError("away")

    monkeypatch.setattr(tools.ledger, "sent", away)
    deliver(tools, job, "h")
    let_pass(client, job)
    monkeypatch.undo()
    tools.receipts = Receipts("stored")
    deliver(tools, job, "h")
    assert state(client, job) == "sent"
    assert tools.mailer.bodies == 1


def test_claim_first_never_sends_twice_and_loses_on_a_crash(parts, client, settings):
    job = accept(client, settings(delivery="claim-first")).job_id
    tools = parts("in_doubt", "sent", delivery="claim-first")
    assert deliver_unguarded(tools, job, "h") == "in_doubt"
    assert deliver_unguarded(tools, job, "h redelivered") == "claimed"
    assert tools.mailer.bodies == 1


def test_mark_after_and_none_send_again_after_an_unclear_end(parts, client, settings):
    for policy in ("mark-after", "none"):
        job = accept(client, settings(delivery=policy)).job_id
        tools = parts("in_doubt", "sent", "sent", delivery=policy)
        with pytest.raises(TryLater):
            deliver_unguarded(tools, job, "h")
        assert deliver_unguarded(tools, job, "h") == "sent"
        again = deliver_unguarded(tools, job, "h")
        assert (again, tools.mailer.bodies) == (("marked", 2) if policy == "mark-after" else ("sent", 3))
        assert state(client, job) == "sent"
