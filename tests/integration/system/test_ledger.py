"""Every transition once, its replay, and who may not make it."""

from dataclasses import replace

import pytest

from system.delivery.ledger import PREFIX, Ledger
from system.delivery.states import Claimed, Lease, NoLease
from tests.integration.system.world import REQUEST, accept, check, claimed, let_pass, now_ms, state, trail

# More hints wait than may.
BACKLOG = {"most": -1, "waiting": 1}


@pytest.fixture
def client(redis_server):
    return redis_server.client


@pytest.fixture
def job(ledger, client, settings):
    return accept(client, settings(), "key").job_id


def lease(ledger, job, owner="one"):
    return ledger.lease(job, owner, f"host:{owner}", "hint")


def to_doubt(ledger, client, job):
    fence = lease(ledger, job).fence
    assert ledger.mark_sending(job, fence, "w")
    let_pass(client, job)
    assert lease(ledger, job, "two") == NoLease("doubt")
    return fence


def score(client, job):
    return client.zscore(PREFIX + "due", job)


def test_the_whole_way(ledger, client, job):
    got = lease(ledger, job)
    assert (got.fence, got.work.key, got.work.kind, got.work.payload) == (1, "key", "email", REQUEST.payload)
    assert ledger.renew(job, 1)
    assert ledger.mark_sending(job, 1, "w")
    assert ledger.sent(job, 1, "250 ok", "w") == "sent"
    assert trail(ledger, job) == ["accepted", "leased", "sending", "sent"]
    assert client.ttl(f"{PREFIX}job:{job}") > 0
    check(client, [job])


def test_accept_again_is_the_same_job(client, settings):
    first = accept(client, settings(), "key")
    again = accept(client, settings(), "key")
    assert (first.how, again.how) == ("new", "replayed")
    assert first.job_id == again.job_id
    assert client.hget(PREFIX + "stats", "accepted") == "1"


def test_accept_replayed_by_the_client_library_is_still_new(client, settings):
    first = accept(client, settings(), "key", job_id="f" * 32)
    assert accept(client, settings(), "key", job_id="f" * 32) == first
    without_key = accept(client, settings(), job_id="e" * 32)
    assert accept(client, settings(), job_id="e" * 32) == without_key
    assert client.hget(PREFIX + "stats", "accepted") == "2"
    check(client, ["f" * 32, "e" * 32])


def test_accept_with_another_body_conflicts(client, settings, job):
    other = replace(REQUEST, payload={**REQUEST.payload, "subject": "other"})
    assert accept(client, settings(), "key", other).how == "conflict"


def test_the_key_lives_as_long_as_its_job(ledger, client, settings, job):
    [key] = client.keys(PREFIX + "idem:*")
    assert client.ttl(key) == -1
    ledger.fail(job, lease(ledger, job).fence, "550", "w")
    assert 0 < client.ttl(key) <= client.ttl(f"{PREFIX}job:{job}")


def test_one_live_lease(ledger, job):
    assert isinstance(lease(ledger, job), Lease)
    assert lease(ledger, job, "two") == NoLease("busy")


def test_lease_replayed(ledger, client, job):
    assert lease(ledger, job) == lease(ledger, job)
    assert trail(ledger, job).count("leased") == 1


def test_a_run_out_lease_goes_on_with_a_new_token(ledger, client, job):
    lease(ledger, job)
    let_pass(client, job)
    assert lease(ledger, job, "two").fence == 2
    assert not ledger.renew(job, 1)
    assert not ledger.mark_sending(job, 1, "w")
    assert ledger.retry(job, 1, "x", "w") == "stale"
    assert ledger.fail(job, 1, "x", "w") == "stale"
    assert ledger.login_refused(job, 1, "x", "w") == "stale"
    assert state(client, job) == "leased"


def test_a_run_out_lease_may_not_begin(ledger, client, job):
    lease(ledger, job)
    let_pass(client, job)
    assert not ledger.mark_sending(job, 1, "w")
    assert not ledger.renew(job, 1)


def test_mark_replayed_and_no_renewal_after_it(ledger, client, job):
    lease(ledger, job)
    assert ledger.mark_sending(job, 1, "w")
    until = client.hget(f"{PREFIX}job:{job}", "until")
    assert ledger.mark_sending(job, 1, "w")
    assert client.hget(f"{PREFIX}job:{job}", "until") == until
    assert not ledger.renew(job, 1)
    assert trail(ledger, job).count("sending") == 1


def test_a_run_out_sending_is_a_doubt(ledger, client, job):
    to_doubt(ledger, client, job)
    assert state(client, job) == "in_doubt"
    assert client.hget(PREFIX + "stats", "in_doubt") == "1"
    assert ledger.fail(job, 1, "x", "w") == "stale"
    assert ledger.retry(job, 1, "x", "w") == "stale"
    check(client, [job])


@pytest.mark.parametrize("before", ["leased", "sending", "in_doubt", "queued", "retry", "failed"])
def test_true_evidence_is_taken_in_any_state(ledger, client, job, before):
    lease(ledger, job)
    if before == "queued":
        let_pass(client, job)
        ledger.claim_due(10)
    elif before == "retry":
        ledger.retry(job, 1, "x", "w")
    elif before == "failed":
        ledger.fail(job, 1, "x", "w")
    elif before != "leased":
        ledger.mark_sending(job, 1, "w")
        if before == "in_doubt":
            let_pass(client, job)
            ledger.claim_due(10)
    assert state(client, job) == before
    assert [ledger.sent(job, 1, "250", "w"), ledger.sent(job, 1, "250", "w")] == ["sent", "sent"]
    assert state(client, job) == "sent"
    assert trail(ledger, job).count("sent") == 1
    check(client, [job])


def test_a_second_250_is_told_as_a_duplicate(ledger, client, job):
    lease(ledger, job)
    let_pass(client, job)
    lease(ledger, job, "two")
    assert ledger.sent(job, 2, "250", "w") == "sent"
    assert ledger.sent(job, 1, "250", "w") == "duplicate"
    assert client.hget(PREFIX + "stats", "duplicates") == "1"


def test_terminal_absorbs(ledger, client, job):
    lease(ledger, job)
    ledger.sent(job, 1, "250", "w")
    assert ledger.fail(job, 1, "x", "w") == "stale"
    assert ledger.retry(job, 1, "x", "w") == "stale"
    assert lease(ledger, job, "two") == NoLease("terminal", "sent")
    assert not ledger.mark_sending(job, 1, "w")
    assert ledger.verdict(job, "operator", "absent", "", "w") == "stale"
    assert state(client, job) == "sent"


def test_retry_waits_and_is_replayed(ledger, client, settings, job):
    lease(ledger, job)
    assert [ledger.retry(job, 1, "451", "w"), ledger.retry(job, 1, "451", "w")] == ["retry", "retry"]
    assert client.hget(PREFIX + "stats", "retried") == "1"
    assert client.hget(f"{PREFIX}job:{job}", "strikes") == "1"
    client.hset(f"{PREFIX}job:{job}", "not_before", 2**50)
    assert lease(ledger, job, "two").reason == "early"
    let_pass(client, job)
    assert lease(ledger, job, "two").fence == 2


def test_retry_gives_up_by_age(ledger, client, job):
    lease(ledger, job)
    client.hset(f"{PREFIX}job:{job}", "first_refused", 1)
    assert [ledger.retry(job, 1, "451", "w"), ledger.retry(job, 1, "451", "w")] == ["failed", "failed"]
    assert "gave up after" in ledger.read(job).fields["error"]


def test_fail_replayed(ledger, client, job):
    lease(ledger, job)
    assert [ledger.fail(job, 1, "550", "w"), ledger.fail(job, 1, "550", "w")] == ["failed", "failed"]
    assert client.hget(PREFIX + "stats", "failed") == "1"
    check(client, [job])


def test_the_breaker_pauses_and_a_probe_resumes(ledger, client, settings, job):
    other = accept(client, settings()).job_id
    lease(ledger, job)
    assert [ledger.login_refused(job, 1, "535", "w") for _ in (1, 2)] == ["retry", "retry"]
    assert client.hget(f"{PREFIX}job:{job}", "strikes") == "0"
    let_pass(client, other)
    assert lease(ledger, other) == NoLease("paused")
    let_pass(client, other)
    assert ledger.claim_due(10) == Claimed(probe=False, due=[], looked_at=1)
    client.hset(PREFIX + "breaker", "probe_at", 1)
    assert ledger.claim_due(10).probe
    assert not ledger.claim_due(10).probe, "one probe at a time"
    assert ledger.probed(ok=False, reason="535") == "open"
    assert ledger.probed(ok=True, reason="") == "closed"
    assert ledger.probed(ok=True, reason="") == "closed"
    for one in (job, other):
        let_pass(client, one)
    assert sorted(claimed(ledger)) == sorted([job, other])
    assert isinstance(lease(ledger, other), Lease)
    check(client, [job, other])


def test_probes_get_rarer_up_to_eight_times(ledger, client, job):
    lease(ledger, job)
    ledger.login_refused(job, 1, "535", "w")
    for _ in range(10):
        ledger.probed(ok=False, reason="535")
    assert float(client.hget(PREFIX + "breaker", "every")) == 8 * 5000


def test_a_doubt_is_asked_about_while_the_login_is_refused(ledger, client, settings, job):
    other = accept(client, settings()).job_id
    to_doubt(ledger, client, job)
    lease(ledger, other)
    ledger.login_refused(other, 1, "535", "w")
    let_pass(client, job)
    assert claimed(ledger) == [job]
    assert lease(ledger, job, "three") == NoLease("doubt")


def test_only_one_asks(ledger, client, job):
    to_doubt(ledger, client, job)
    assert ledger.ask(job, "one", 5)
    assert ledger.ask(job, "one", 5)
    assert not ledger.ask(job, "two", 5)
    assert ledger.verdict(job, "two", "absent", "", "w") == "stale"
    let_pass(client, job)
    assert ledger.ask(job, "two", 5)
    assert ledger.verdict(job, "one", "absent", "", "w") == "stale"
    assert state(client, job) == "in_doubt"


@pytest.mark.parametrize(
    ("answer", "led_to", "stat"),
    [
        ("stored", "sent", "doubt_stored"),
        ("absent", "queued", "doubt_absent"),
        ("resend", "queued", "doubt_resent"),
        ("unknown", "in_doubt", None),
        ("hold", "in_doubt", None),
    ],
)
def test_a_verdict_and_its_replay(ledger, client, job, answer, led_to, stat):
    to_doubt(ledger, client, job)
    ledger.ask(job, "one", 5)
    assert [ledger.verdict(job, "one", answer, "", "w") for _ in (1, 2)] == [led_to, led_to]
    if stat:
        assert client.hget(PREFIX + "stats", stat) == "1"
    check(client, [job])


def test_cannot_say_is_asked_again_ever_later(ledger, client, job):
    to_doubt(ledger, client, job)
    waits = []
    for number in range(9):
        ledger.ask(job, f"asker-{number}", 5)
        ledger.verdict(job, f"asker-{number}", "unknown", "", "w")
        waits.append(int(client.hget(f"{PREFIX}job:{job}", "ask_every")))
    assert waits == [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]


def test_a_held_doubt_leaves_the_due_set_and_can_come_back(ledger, client, job):
    to_doubt(ledger, client, job)
    ledger.ask(job, "one", 5)
    ledger.verdict(job, "one", "hold", "", "w")
    assert score(client, job) is None
    assert claimed(ledger) == []
    assert ledger.release_held() == 1
    assert ledger.release_held() == 0
    assert claimed(ledger) == [job]
    check(client, [job])


def test_an_operator_settles_a_held_doubt(ledger, client, job):
    to_doubt(ledger, client, job)
    ledger.ask(job, "one", 5)
    ledger.verdict(job, "one", "hold", "", "w")
    assert ledger.verdict(job, "operator", "absent", "searched", "op") == "queued"
    check(client, [job])


def test_republishing_slows_down(ledger, client, job):
    gaps = []
    for _ in range(6):
        let_pass(client, job)
        before = client.time()[0] * 1000
        assert claimed(ledger) == [job]
        assert claimed(ledger) == []
        gaps.append(round((score(client, job) - before) / 1000))
    assert [gap - gap % 5 for gap in gaps] == [5, 10, 20, 40, 60, 60]


def test_under_a_backlog_only_leases_and_doubts_are_claimed(ledger, client, settings, job):
    """What merely waits its turn keeps its place in the line, so nothing starves."""
    doubt = accept(client, settings()).job_id
    to_doubt(ledger, client, doubt)
    let_pass(client, job)
    place = score(client, job)
    assert claimed(ledger, **BACKLOG) == [doubt]
    assert claimed(ledger, **BACKLOG) == []
    assert score(client, job) == place
    lease(ledger, job)
    let_pass(client, job)
    assert claimed(ledger, **BACKLOG) == [job]
    ledger.retry(job, lease(ledger, job).fence, "451", "w")
    let_pass(client, job)
    assert claimed(ledger, **BACKLOG) == []
    assert claimed(ledger) == [job]
    check(client, [job, doubt])


def resent(ledger, client, job):
    to_doubt(ledger, client, job)
    ledger.ask(job, "a", 5)
    ledger.verdict(job, "a", "resend", "nobody", "w")
    return lease(ledger, job, "again").fence


@pytest.mark.parametrize("how", ["fail", "retry"])
def test_one_sent_again_in_doubt_is_never_said_to_have_failed(ledger, client, job, how):
    fence = resent(ledger, client, job)
    client.hset(f"{PREFIX}job:{job}", "first_refused", 1)
    assert [getattr(ledger, how)(job, fence, "550 no", "w") for _ in (1, 2)] == ["in_doubt", "in_doubt"]
    fields = ledger.read(job).fields
    assert fields["detail"].startswith("in doubt, held")
    assert client.zcard(PREFIX + "held") == 1
    check(client, [job])
    assert ledger.release_held() == 0, "DOUBT_POLICY=resend does not send it for ever"
    ledger.ask(job, "b", 5)
    assert ledger.verdict(job, "b", "resend", "nobody", "w") == "in_doubt"
    check(client, [job])
    assert ledger.sent(job, 1, "250", "w") == "sent"
    check(client, [job])


def test_one_sent_again_fails_once_the_receiver_denies_it(ledger, client, settings, job):
    fence = resent(ledger, client, job)
    ledger.fail(job, fence, "550 no", "w")
    assert Ledger(client, settings(receipts_url="http://127.0.0.1:9")).release_held() == 1
    ledger.ask(job, "b", 5)
    assert ledger.verdict(job, "b", "absent", "", "w") == "queued"
    assert ledger.fail(job, lease(ledger, job, "c").fence, "550 no", "w") == "failed"
    check(client, [job])


def test_a_late_250_of_the_doubted_token_is_no_duplicate(ledger, client, job):
    fence = to_doubt(ledger, client, job)
    ledger.ask(job, "a", 5)
    ledger.verdict(job, "a", "stored", "1", "w")
    assert ledger.sent(job, fence, "250", "w") == "sent"
    assert client.hget(PREFIX + "stats", "duplicates") is None
    assert trail(ledger, job).count("sent") == 1


def test_an_old_token_does_not_open_the_breaker(ledger, client, job):
    lease(ledger, job)
    let_pass(client, job)
    lease(ledger, job, "two")
    assert ledger.login_refused(job, 1, "535", "w") == "stale"
    assert not ledger.login_is_refused()


def test_a_login_outage_and_a_doubt_age_nobody(ledger, client, settings, job):
    old = Ledger(client, settings(max_age_s=100))
    key = f"{PREFIX}job:{job}"
    client.hset(key, "created", 1)
    assert old.retry(job, lease(old, job).fence, "421", "w") == "retry", "its first strike"
    let_pass(client, job)
    old.login_refused(job, lease(old, job, "b").fence, "535", "w")
    now = now_ms(client)
    client.hset(key, "first_refused", now - 300_000)
    client.hset(PREFIX + "breaker", "since", now - 150_000)
    old.probed(ok=True, reason="")
    fence = lease(old, job, "c").fence
    old.mark_sending(job, fence, "w")
    let_pass(client, job)
    lease(old, job, "d")
    old.ask(job, "d", 5)
    client.hset(key, "doubted_at", now - 100_000)
    old.verdict(job, "d", "absent", "", "w")
    assert old.retry(job, lease(old, job, "e").fence, "421", "w") == "retry"
    client.hset(key, "first_refused", now - 360_000)
    let_pass(client, job)
    stale = lease(old, job, "f").fence
    strikes = client.hget(key, "strikes")
    assert old.retry(job, stale, "stale", "w", strike=False) == "retry", "a lost lease ages nobody"
    assert client.hget(key, "strikes") == strikes
    let_pass(client, job)
    assert old.retry(job, lease(old, job, "g").fence, "421", "w") == "failed"
    check(client, [job])


def test_a_lease_taken_over_is_counted_as_lost(ledger, client, job):
    lease(ledger, job)
    let_pass(client, job)
    lease(ledger, job, "two")
    assert client.hget(PREFIX + "stats", "leases_lost") == "1"
    assert trail(ledger, job) == ["accepted", "leased", "retry", "leased"]


def test_what_could_not_be_published_starts_again(ledger, client, job):
    for _ in range(5):
        let_pass(client, job)
        ledger.claim_due(10)
    ledger.unclaim([job, "no-such-job"])
    assert client.hget(f"{PREFIX}job:{job}", "every") == "5000"
    check(client, [job])


def test_claim_turns_run_out_leases_into_what_they_are(ledger, client, settings, job):
    other = accept(client, settings()).job_id
    lease(ledger, job)
    lease(ledger, other)
    ledger.mark_sending(other, 1, "w")
    assert claimed(ledger) == []
    for one in (job, other):
        let_pass(client, one)
    assert sorted(claimed(ledger)) == sorted([job, other])
    assert (state(client, job), state(client, other)) == ("queued", "in_doubt")
    check(client, [job, other])


def test_claim_leaves_a_live_lease_alone(ledger, client, job):
    lease(ledger, job)
    client.zadd(PREFIX + "due", {job: 1})
    assert claimed(ledger) == []
    assert state(client, job) == "leased"


def test_an_unknown_job_is_gone(ledger, client):
    client.zadd(PREFIX + "due", {"ghost": 1})
    assert lease(ledger, "ghost") == NoLease("gone")
    client.zadd(PREFIX + "due", {"ghost": 1})
    assert claimed(ledger) == []
    assert ledger.sent("ghost", 1, "250", "w") == ""
    assert ledger.fail("ghost", 1, "x", "w") == "stale"
    assert ledger.verdict("ghost", "one", "stored", "", "w") == "gone"
    assert not client.exists(PREFIX + "job:ghost")
    check(client, [])


def test_the_trail_keeps_the_last_fifty(ledger, client, job):
    for _ in range(70):
        let_pass(client, job)
        ledger.claim_due(10)
    assert len(ledger.read(job).trail) == 50


def test_a_script_that_the_server_forgot_is_sent_again(ledger, client, job):
    lease(ledger, job)
    client.script_flush()
    assert ledger.renew(job, 1)


def test_the_unguarded_policies_leave_the_due_set_alone(ledger, client, settings):
    job = accept(client, settings(delivery="none")).job_id
    assert client.zcard(PREFIX + "due") == 0
    assert ledger.unguarded(job, "leased", "w", "hint").fence == 1
    ledger.unguarded(job, "sending", "w")
    ledger.unguarded(job, "sent", "w", "250")
    ledger.unguarded(job, "leased", "w", "hint")
    ledger.unguarded(job, "sent", "w", "250")
    assert state(client, job) == "sent"
    assert trail(ledger, job) == ["accepted", "leased", "sending", "sent", "leased", "sent"]
    assert client.hget(PREFIX + "stats", "duplicates") == "1"
    assert client.hget(PREFIX + "stats", "sent") == "1"
    assert ledger.unguarded("ghost", "leased", "w") is None


def test_a_vanished_record_is_not_said_to_be_sent(client, settings, job):
    client.delete(f"{PREFIX}job:{job}")
    assert accept(client, settings(), "key").state == "gone"
