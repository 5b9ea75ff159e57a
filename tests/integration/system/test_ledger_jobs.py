"""Jobs of every kind in the ledger: batches, follow-ups, cancelling, lists, results, clean-up."""

import json
from dataclasses import replace

import pytest

from system.delivery import listing
from system.delivery.accepting import Acceptance, BacklogFull, Request, Wanted
from system.delivery.ledger import PREFIX
from system.delivery.states import NoLease
from tests.integration.system.world import REQUEST, accept, check, claimed, let_pass, state, trail

ADD = Request("add", {"a": 1, "b": 2})


@pytest.fixture
def client(redis_server):
    return redis_server.client


def lease(ledger, job, owner="one"):
    return ledger.lease(job, owner, "w", "hint")


def accept_all(client, settings, *wanted):
    jobs = [Wanted(f"{number:032x}", key, asked) for number, (key, asked) in enumerate(wanted, 1)]
    return Acceptance(client, settings).accept_all(jobs)


# -- batches ------------------------------------------------------------------------------------------------


def test_a_batch_is_accepted_whole(client, settings):
    answers = accept_all(client, settings(), ("a", REQUEST), ("", ADD), ("b", ADD))
    assert [one.how for one in answers] == ["new"] * 3
    check(client, [one.job_id for one in answers])
    assert client.hget(PREFIX + "stats", "accepted") == "3"


def test_one_conflict_refuses_the_whole_batch(client, settings):
    accept(client, settings(), "b")
    answers = accept_all(client, settings(), ("a", REQUEST), ("b", ADD), ("c", ADD))
    assert [one.how for one in answers] == ["new", "conflict", "new"]
    assert client.hget(PREFIX + "stats", "accepted") == "1"
    assert client.keys(PREFIX + "job:*0000*") == []
    assert len(client.keys(PREFIX + "idem:*")) == 1


def test_a_batch_may_repeat_itself(client, settings):
    first = accept_all(client, settings(), ("a", REQUEST), ("a", REQUEST), ("b", ADD))
    assert [one.how for one in first] == ["new", "replayed", "new"]
    assert first[0].job_id == first[1].job_id
    again = accept_all(client, settings(), ("a", REQUEST), ("a", REQUEST), ("b", ADD))
    # The same ids, as when the reply was lost and the script ran twice.
    assert [one.job_id for one in again] == [one.job_id for one in first]
    assert client.hget(PREFIX + "stats", "accepted") == "2"


def test_a_batch_that_contradicts_itself_is_refused(client, settings):
    answers = accept_all(client, settings(), ("a", REQUEST), ("a", ADD))
    assert [one.how for one in answers] == ["new", "conflict"]
    assert client.keys(PREFIX + "job:*") == []


def test_a_full_backlog_takes_all_or_nothing(client, settings):
    full = settings(max_backlog=3)
    accept_all(client, full, ("a", ADD), ("b", ADD))
    with pytest.raises(BacklogFull, match="2"):
        Acceptance(client, full).accept_all([Wanted("f" * 32, "c", ADD), Wanted("e" * 32, "d", ADD)])
    assert client.hget(PREFIX + "stats", "accepted") == "2"
    accept(client, full, "c", ADD)
    with pytest.raises(BacklogFull):
        accept(client, full, "d", ADD)
    assert accept(client, full, "a", ADD).how == "replayed", "what is accepted already is no load"


# -- jobs that are no mails ---------------------------------------------------------------------------------


def test_a_chore_is_done_once_and_from_any_token(ledger, client, settings):
    job = accept(client, settings(), "", ADD).job_id
    first = lease(ledger, job)
    assert (first.work.kind, first.work.payload) == ("add", {"a": 1, "b": 2})
    let_pass(client, job)
    second = lease(ledger, job, "two")
    assert ledger.done(job, first.fence, 3, "w") == "done"
    assert ledger.done(job, second.fence, 3, "w") == "done"
    assert ledger.fail(job, second.fence, "late", "w") == "stale"
    assert ledger.read(job).result == 3
    assert trail(ledger, job).count("done") == 1
    assert client.hget(PREFIX + "stats", "done") == "1"
    check(client, [job])


def test_a_refused_login_holds_up_mails_only(ledger, client, settings):
    mail, chore = accept(client, settings()).job_id, accept(client, settings(), "", ADD).job_id
    ledger.login_refused(mail, lease(ledger, mail).fence, "535", "w")
    let_pass(client, mail)
    assert lease(ledger, mail) == NoLease("paused")
    assert lease(ledger, chore).fence == 1
    let_pass(client, chore)
    assert claimed(ledger) == [chore]


def test_retries_may_be_counted(ledger, client, settings):
    job = accept(client, settings()).job_id
    for number in (1, 2, 3):
        assert ledger.retry(job, lease(ledger, job).fence, "no", "w", most=3) == "retry", number
        let_pass(client, job)
    assert ledger.retry(job, lease(ledger, job).fence, "no", "w", most=3) == "failed"
    assert ledger.read(job).error == "no"
    check(client, [job])


# -- follow-ups ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "word", "text"),
    [
        (lambda ledger, job: ledger.done(job, lease(ledger, job).fence, "ä\n<b>", "w"), "SUCCESS", "ä\n<b>"),
        (
            lambda ledger, job: ledger.fail(job, lease(ledger, job).fence, "no such", "w"),
            "FAILURE",
            "no such",
        ),
        (lambda ledger, job: ledger.cancel(job), "REVOKED", "nothing"),
    ],
)
def test_an_end_is_told_by_a_mail_of_its_own(ledger, client, settings, end, word, text):
    job = accept(client, settings(), "k", replace(ADD, notify="boss@example.org")).job_id
    child = ledger.read(job).fields["notify_id"]
    assert ledger.read(child) is None
    end(ledger, job)
    told = ledger.read(child)
    assert (told.kind, told.state, told.fields["key"]) == ("email", "queued", "k+notify")
    assert told.payload["to"] == "boss@example.org"
    assert word in told.payload["subject"]
    assert job in told.payload["subject"]
    assert text in told.payload["body"]
    assert claimed(ledger) == [child]
    check(client, [job, child])


def test_an_end_is_told_once(ledger, client, settings):
    """A late 250 ends a mail for the second time."""
    job = accept(client, settings(), "", replace(REQUEST, notify="boss@example.org")).job_id
    fence = lease(ledger, job).fence
    ledger.fail(job, fence, "550", "w")
    ledger.sent(job, fence, "250", "w")
    assert client.hget(PREFIX + "stats", "accepted") == "2"
    assert ledger.read(job).result == "Email sent to a@example.org"


# -- cancelling ---------------------------------------------------------------------------------------------


def test_cancel_what_has_not_begun(ledger, client, settings):
    job = accept(client, settings(), "k").job_id
    assert ledger.cancel(job) == ("cancelled", "")
    assert ledger.cancel(job) == ("cancelled", ""), "again"
    assert (state(client, job), ledger.read(job).public) == ("cancelled", "REVOKED")
    assert lease(ledger, job) == NoLease("terminal", "cancelled")
    assert client.ttl(client.keys(PREFIX + "idem:*")[0]) > 0
    check(client, [job])


def test_a_mail_under_a_lease_can_be_cancelled_and_is_not_sent(ledger, client, settings):
    job = accept(client, settings()).job_id
    fence = lease(ledger, job).fence
    assert ledger.cancel(job)[0] == "cancelled"
    assert not ledger.renew(job, fence)
    assert not ledger.mark_sending(job, fence, "w")
    assert ledger.retry(job, fence, "the lease was lost", "w", strike=False) == "stale"
    assert state(client, job) == "cancelled"


def test_too_late_to_cancel(ledger, client, settings):
    ids = [accept(client, settings()).job_id for _ in range(4)]
    _, doubt, resent, sent = ids
    for job in ids:
        assert ledger.mark_sending(job, lease(ledger, job).fence, "w")
    for job in (doubt, resent):
        let_pass(client, job)
        assert lease(ledger, job) == NoLease("doubt")
    ledger.ask(resent, "o", 1)
    ledger.verdict(resent, "o", "resend", "", "w")
    ledger.sent(sent, 1, "250", "w")
    for job in ids:
        before = state(client, job)
        assert ledger.cancel(job)[0] == "late", before
        assert state(client, job) == before
    chore = accept(client, settings(), "", ADD).job_id
    lease(ledger, chore)
    let_pass(client, chore)
    assert claimed(ledger).count(chore) == 1
    assert state(client, chore) == "queued"
    assert ledger.cancel(chore)[0] == "late", "its first run may have had its effect"
    assert ledger.cancel("f" * 32)[0] == "gone"


# -- lists --------------------------------------------------------------------------------------------------


def ids_of(client, **how):
    found, cursor = [], ""
    while True:
        page = listing.page(client, cursor=cursor, **how)
        found += [job.job_id for job in page.jobs]
        cursor = page.cursor
        if not cursor:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_every_job_is_listed_once_newest_first(client, settings, limit):
    ids = [accept(client, settings()).job_id for _ in range(4)]
    same_moment = [one.job_id for one in accept_all(client, settings(), *[("", ADD)] * 3)]
    listed = ids_of(client, limit=limit)
    assert sorted(listed) == sorted(ids + same_moment)
    created = [int(client.hget(f"{PREFIX}job:{job}", "created")) for job in listed]
    assert created == sorted(created, reverse=True)


def test_new_jobs_do_not_shift_the_pages(client, settings):
    ids = [accept(client, settings()).job_id for _ in range(4)]
    first = listing.page(client, limit=2)
    accept(client, settings())
    second = listing.page(client, limit=2, cursor=first.cursor)
    assert {job.job_id for job in first.jobs + second.jobs} == set(ids)
    client.zrem(PREFIX + "jobs", first.cursor.partition("-")[0])
    assert listing.page(client, limit=2, cursor=first.cursor).jobs != []


def test_filters(ledger, client, settings, monkeypatch):
    mail, other = accept(client, settings()).job_id, accept(client, settings()).job_id
    chore, doubt = accept(client, settings(), "", ADD).job_id, accept(client, settings()).job_id
    ledger.done(chore, lease(ledger, chore).fence, 3, "w")
    ledger.sent(other, lease(ledger, other).fence, "250", "w")
    ledger.mark_sending(doubt, lease(ledger, doubt).fence, "w")
    let_pass(client, doubt)
    lease(ledger, doubt, "two")
    assert ids_of(client, state="SUCCESS") == sorted([chore, other], key=ids_of(client).index)
    assert ids_of(client, state="SUCCESS", kind="add") == [chore]
    assert ids_of(client, state="queued") == [mail]
    assert ids_of(client, state="in_doubt") == [doubt]
    assert ids_of(client, state="held") == []
    ledger.ask(doubt, "o", 1)
    ledger.verdict(doubt, "o", "hold", "", "w")
    assert ids_of(client, state="held") == [doubt]
    monkeypatch.setattr(listing, "LOOK_AT_MOST", 1)
    assert ids_of(client, state="queued") == [mail], "an empty page may have a next one"
    assert ledger.verdict(doubt, "operator", "stored", "seen in the mailbox", "operator") == "sent"
    assert ids_of(client, state="in_doubt") == []
    with pytest.raises(ValueError, match="must be one of"):
        listing.page(client, state="lost")
    with pytest.raises(ValueError, match="cursor"):
        listing.page(client, cursor="a;b")


def test_clean_up_drops_what_has_expired(ledger, client, settings):
    old, gone, young = (accept(client, settings()).job_id for _ in range(3))
    for job in (old, gone):
        client.zadd(PREFIX + "jobs", {job: 1})
    client.delete(f"{PREFIX}job:{gone}", f"{PREFIX}job:{young}")
    assert ledger.cleanup(batch=1) == 1
    assert client.zrange(PREFIX + "jobs", 0, -1) == [old, young], "an unfinished job stays, however old"
    assert ledger.cleanup(batch=1) == 0


def test_a_person_settles_doubts_only(ledger, client, settings):
    mail, chore = accept(client, settings()).job_id, accept(client, settings(), "", ADD).job_id
    for job in (mail, chore):
        for answer in ("stored", "absent", "resend"):
            assert ledger.verdict(job, "operator", answer, "", "operator") == "stale"
        assert state(client, job) == "queued"


# -- Celery's results ---------------------------------------------------------------------------------------


def test_an_end_leaves_a_result_for_celery(ledger, client, settings):
    job, other = accept(client, settings(), "", ADD).job_id, accept(client, settings()).job_id
    ledger.done(job, lease(ledger, job).fence, 3, "w")
    meta = json.loads(client.get(f"celery-task-meta-{job}"))
    assert (meta["status"], meta["result"], meta["task_id"]) == ("SUCCESS", 3, job)
    assert 0 < client.ttl(f"celery-task-meta-{job}") <= 3600
    ledger.retry(other, lease(ledger, other).fence, "no", "w")
    assert client.get(f"celery-task-meta-{other}") is None, "not an end"
    ledger.cancel(other)
    assert json.loads(client.get(f"celery-task-meta-{other}"))["status"] == "REVOKED"
