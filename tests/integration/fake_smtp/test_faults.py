"""Each fault's row of the table, proven with smtplib: what is seen, what is stored, what a retry does."""

from __future__ import annotations

import re
import smtplib
import ssl
import time
from dataclasses import dataclass
from typing import Any

import pytest

from fake_smtp.faults import FAULTS
from fake_smtp.plan import Rule
from tests.integration.fake_smtp.conftest import PASSWORD, USER, Sink, mail

KEY = "run-1-000001"
PATIENCE_S = 0.5
LONG = {"delay_s": 30}


@dataclass(frozen=True)
class Row:
    """A fault once, what smtplib raises (one of these, or nothing), and the code in it."""

    rule: Rule
    errors: tuple[type[Exception], ...] = ()
    code: int | None = None
    patience_s: float = 10.0


Errors = type[Exception] | tuple[type[Exception], ...]


def row(fault: str, errors: Errors = (), raised: int | None = None, **params: Any) -> Row:
    # A wait is on purpose: this client gives up before it ends.
    patient = {"patience_s": PATIENCE_S} if params == LONG else {}
    return Row(
        Rule(fault, attempts=1, count=1, params=params),
        errors if isinstance(errors, tuple) else (errors,),
        raised,
        **patient,
    )


GONE = smtplib.SMTPServerDisconnected
ROWS = [
    row("noop"),
    row("refuse_connection", GONE),
    row("banner_421", smtplib.SMTPConnectError, 421),
    row("slow_banner", GONE, **LONG),
    row("ehlo_refused", smtplib.SMTPHeloError, 550),
    row("starttls_refused", smtplib.SMTPResponseException, 454),
    row("starttls_dropped", (ConnectionResetError, ssl.SSLEOFError)),
    row("starttls_garbage", ssl.SSLError),
    row("starttls_hanging", TimeoutError, **LONG),
    row("certificate_wrong_host", ssl.SSLCertVerificationError),
    row("certificate_expired", ssl.SSLCertVerificationError),
    row("auth_reject", smtplib.SMTPAuthenticationError, 535),
    row("auth_reject", smtplib.SMTPAuthenticationError, 454, code=454, text="4.7.0 later"),
    row("auth_reject", smtplib.SMTPAuthenticationError, 530, code=530),
    row("auth_421", GONE),
    row("auth_slow", GONE, **LONG),
    row("auth_dropped", GONE),
    row("credentials_rotated", smtplib.SMTPAuthenticationError, 535),
    row("sender_not_allowed", smtplib.SMTPSenderRefused, 530),
    row("tempfail", smtplib.SMTPSenderRefused, 451, stage="mail"),
    row("tempfail", smtplib.SMTPRecipientsRefused, 451),
    row("tempfail", smtplib.SMTPDataError, 452, stage="data", code=452),
    row("tempfail", smtplib.SMTPDataError, 554, stage="dot", code=554),
    row("greylist", smtplib.SMTPRecipientsRefused, 451),
    row("greylist", smtplib.SMTPDataError, 451, stage="dot"),
    row("tarpit", delay_s=0.01),
    row("bandwidth"),
    row("drop_before_dot", GONE),
    row("drop_before_dot", GONE, at_byte=0),
    row("drop_before_dot", GONE, at_byte=10**9),
    row("drop_after_dot", GONE),
    row("torn_reply", smtplib.SMTPDataError, 25),
    row("torn_reply", smtplib.SMTPDataError, 2, bytes=1),
    row("unterminated_reply", GONE),
    row("late_reply", GONE, **LONG),
    row("error_after_store", smtplib.SMTPDataError, 451),
    row("quit_421"),
    row("lose"),
    row("store_twice"),
]


def test_every_fault_has_a_row() -> None:
    assert {row.rule.fault for row in ROWS} == set(FAULTS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.rule.fault}-{row.code}")
def test_the_row_of_a_fault(start_sink, row: Row) -> None:
    fault = FAULTS[row.rule.fault]
    sink = start_sink(*["--tls"] * ("starttls" in fault(row.rule.params).stages))
    sink.plan(row.rule)
    if not row.errors:
        sink.send(KEY)
        assert fault.client_sees.startswith("250")
    else:
        with pytest.raises(row.errors) as caught:
            sink.send(KEY, patience_s=row.patience_s)
        assert caught.type in row.errors
        assert all(error.__name__ in fault.client_sees for error in row.errors)
        assert row.code == _code(caught.value)
    end = sink.until("session_end")
    assert len(sink.records("stored")) == fault.stored * fault.copies
    assert sink.counters()["faults"][row.rule.fault] == 1
    decision = sink.records("fault")[0]
    assert (decision["fault"], decision["rule"], decision["session"]) == (row.rule.fault, 0, end["session"])
    assert decision["stage"] in fault(row.rule.params).stages
    if row.errors:
        # Once more on a new connection, after the fault: a plain retry.
        sink.send(KEY, attempt=2)
        assert len(sink.records("stored")) == 1 + fault.retry_duplicates
    ends = [end["fault"] for end in sink.records("session_end")]
    assert ends[0] == row.rule.fault
    assert set(ends[1:]) <= {None}


def _code(error: Exception) -> int | None:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next(iter(error.recipients.values()))[0]
    return getattr(error, "smtp_code", None)


def test_a_dropped_mail_was_stored_and_got_not_one_byte(sink: Sink) -> None:
    sink.plan(Rule("drop_after_dot"))
    with sink.wire(upto_data=True) as wire:
        wire.sock.sendall(mail(KEY).replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert wire.ended()
    end = sink.until("session_end")
    stored, reply = sink.records("stored", "reply")
    assert stored["key"] == KEY
    assert (reply["flushed"], reply["fault"], reply["mail"]) == (False, "drop_after_dot", stored["mail"])
    assert (end["how"], end["fault"]) == ("fault", "drop_after_dot")
    counters = sink.counters()
    assert (counters["stored"], counters["replied"], counters["aborted_after_store"]) == (1, 0, 1)
    assert sink.http("GET", f"/receipts/job-{KEY}@client.test")[1]["stored"] is True


def test_a_refused_dot_is_on_record_with_its_key(sink: Sink) -> None:
    sink.plan(Rule("tempfail", params={"stage": "dot"}))
    with pytest.raises(smtplib.SMTPDataError):
        sink.send(KEY)
    refused = sink.until("refused")
    assert (refused["stage"], refused["code"], refused["fault"], refused["key"]) == (
        "dot",
        451,
        "tempfail",
        KEY,
    )
    assert not sink.records("stored", "reply")
    assert (sink.out / "mails.raw").read_bytes() == b""


def test_a_kept_connection_goes_on_after_a_refusal(sink: Sink) -> None:
    sink.plan(Rule("tempfail", attempts=1, params={"stage": "dot"}))
    with sink.client() as client:
        with pytest.raises(smtplib.SMTPDataError):
            client.sendmail("f@c.test", "t@s.test", mail(KEY))
        client.sendmail("f@c.test", "t@s.test", mail(KEY, 2))
        client.quit()
    assert sink.until("session_end")["mails"] == 1


def test_revoked_credentials_end_sessions_that_were_logged_in(sink: Sink) -> None:
    with sink.client() as old:
        old.sendmail("f@c.test", "t@s.test", mail(KEY))
        sink.plan(Rule("auth_reject"))
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            old.sendmail("f@c.test", "t@s.test", mail("run-1-000002"))
        assert (caught.value.smtp_code, caught.value.smtp_error[:5]) == (421, b"4.7.0")
    end = sink.until("session_end")
    assert (end["auth"], end["how"], end["fault"], end["mails"]) == ("ok", "fault", "auth_reject", 1)
    assert re.fullmatch(r"mail 421 auth_reject", "{stage} {code} {fault}".format(**sink.until("refused")))
    with pytest.raises(smtplib.SMTPAuthenticationError):
        sink.send()
    sink.http("DELETE", "/plan")
    sink.send("run-1-000003")
    assert len(sink.records("stored")) == 2


def test_a_session_that_the_fault_let_in_stays_in(sink: Sink) -> None:
    sink.plan(Rule("auth_reject", probability=0.0))
    with sink.client() as client:
        client.sendmail("f@c.test", "t@s.test", mail(KEY))
    assert sink.until("stored")["key"] == KEY


def test_healing_lets_the_same_connection_log_in(sink: Sink) -> None:
    sink.plan(Rule("auth_reject"))
    with sink.client(login=False) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(USER, PASSWORD)
        sink.http("DELETE", "/plan")
        client.login(USER, PASSWORD)
        client.quit()
    assert sink.until("session_end")["auth"] == "ok"


def test_the_seed_decides_and_nothing_else(start_sink) -> None:
    """Same seed and mails, same victims, whatever the order; another seed, others."""
    keys = [f"run-1-{number:06}" for number in range(30)]

    def victims(seed: int, order: list[str]) -> set[str]:
        sink = start_sink()
        sink.plan(Rule("tempfail", probability=0.5, params={"stage": "dot"}), seed=seed)
        hit = set()
        with sink.client() as client:
            for key in order:
                try:
                    client.sendmail("f@c.test", "t@s.test", mail(key))
                except smtplib.SMTPDataError:
                    hit.add(key)
        return hit

    first = victims(1, keys)
    assert first == victims(1, keys[::-1])
    assert first != victims(2, keys)
    assert 5 < len(first) < 25


def test_a_tarpit_delays_every_reply(sink: Sink) -> None:
    sink.plan(Rule("tarpit", params={"delay_s": 0.1}))
    began = time.monotonic()
    sink.send(KEY)
    # Banner, EHLO, AUTH, MAIL, RCPT, DATA, dot, QUIT; all but the goodbye are awaited here for sure.
    assert time.monotonic() - began >= 0.7


def test_a_thin_line_takes_its_time_and_the_limit_still_holds(start_sink) -> None:
    sink = start_sink("--data-limit-s", "2", "--idle-limit-s", "0.3")
    body = "x" * 70 + "\r\n"
    sink.plan(Rule("bandwidth", params={"bytes_per_s": 4000}))
    began = time.monotonic()
    with sink.client() as client:
        client.sendmail("f@c.test", "t@s.test", mail(KEY, body=body * 50))
    assert time.monotonic() - began >= 0.8
    with sink.client() as client, pytest.raises(smtplib.SMTPServerDisconnected):
        client.sendmail("f@c.test", "t@s.test", mail("run-1-000002", body=body * 200))
    assert sink.until("aborted")["why"] == "data phase over its limit"
    assert [one["key"] for one in sink.records("stored")] == [KEY]


def test_who_knows_the_new_credentials_gets_in(sink: Sink) -> None:
    sink.plan(Rule("credentials_rotated", params={"username": "new", "password": "word"}))
    with pytest.raises(smtplib.SMTPAuthenticationError):
        sink.send(KEY)
    with sink.client(login=False) as client:
        client.login("new", "word")
        client.sendmail("f@c.test", "t@s.test", mail(KEY))
    assert len(sink.records("stored")) == 1


def test_a_greylisted_mail_is_taken_at_the_next_try(sink: Sink) -> None:
    sink.plan(Rule("greylist", params={"tries": 2}))
    for _ in range(2):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            sink.send(KEY)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        sink.send("run-1-000002")
    sink.send(KEY, attempt=3)
    assert [one["key"] for one in sink.records("stored")] == [KEY]


def test_a_late_reply_reaches_whoever_waits_past_every_limit(start_sink) -> None:
    sink = start_sink("--data-limit-s", "0.5", "--idle-limit-s", "0.5")
    sink.plan(Rule("late_reply", params={"delay_s": 1.0}))
    sink.send(KEY)
    assert sink.until("reply")["flushed"] is True


def test_rules_are_matched_on_what_is_known_of_the_mail(sink: Sink) -> None:
    sink.plan(
        Rule("tempfail", key="run-1-00000[12]", attempt=(2, 3), params={"stage": "dot", "code": 551}),
        Rule("tempfail", recipient="*-000003@*", params={"stage": "rcpt", "code": 552}),
        Rule("tempfail", sender="nobody@*", params={"stage": "mail", "code": 553}),
        Rule("tempfail", phase="flood", params={"stage": "dot", "code": 554}),
    )

    def code(key: str, attempt: int = 1, sender: str = "from@client.test") -> int | None:
        with sink.client() as client:
            try:
                client.sendmail(sender, f"{key}@sink.test", mail(key, attempt))
            except smtplib.SMTPException as error:
                return _code(error)
        return None

    assert [code("run-1-000001", attempt) for attempt in (1, 2, 3, 4)] == [None, 551, 551, None]
    assert code("run-1-000003") == 552
    assert code("run-1-000004", sender="nobody@client.test") == 553
    assert code("run-1-000005") is None
    assert sink.http("PUT", "/phase", {"phase": "flood"}) == (200, {"phase": "flood"})
    assert code("run-1-000005") == 554
    assert sink.http("PUT", "/phase", {"phase": None}) == (200, {"phase": None})
    assert code("run-1-000005") is None
    assert [record["rule"] for record in sink.records("fault")] == [0, 0, 1, 2, 3]


def test_a_window_begins_and_ends(sink: Sink) -> None:
    sink.plan(Rule("tempfail", from_s=0.0, until_s=0.4), Rule("noop", from_s=0.4))
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        sink.send(KEY)
    deadline = time.monotonic() + 10
    while not sink.counters()["faults"]["noop"]:
        assert time.monotonic() < deadline
        try:
            sink.send(KEY)
        except smtplib.SMTPRecipientsRefused:
            continue
    assert sink.records("fault")[-1]["fault"] == "noop"


def test_a_rule_that_asks_for_what_nobody_knows_yet_is_refused(sink: Sink) -> None:
    status, answer = sink.http("PUT", "/plan", {"rules": [{"fault": "tempfail", "key": "run-*"}]})
    assert status == 422
    assert answer["error"] == "rule 0: tempfail acts at 'rcpt', where 'key' is not known yet: leave it out"
