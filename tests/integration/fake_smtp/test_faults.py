"""Each fault's row of the table, proven with smtplib: what is seen, what is stored, what a retry does."""

from __future__ import annotations

import re
import smtplib

import pytest

from fake_smtp.faults import FAULTS
from fake_smtp.plan import Rule
from tests.integration.fake_smtp.conftest import PASSWORD, USER, Sink, mail

KEY = "run-1-000001"
ROWS = [
    (Rule("noop", attempts=1), None, None),
    (Rule("auth_reject", count=1), smtplib.SMTPAuthenticationError, 535),
    (
        Rule("auth_reject", count=1, params={"code": 454, "text": "4.7.0 later"}),
        smtplib.SMTPAuthenticationError,
        454,
    ),
    (Rule("auth_reject", count=1, params={"code": 530}), smtplib.SMTPAuthenticationError, 530),
    (Rule("drop_after_dot", attempts=1), smtplib.SMTPServerDisconnected, None),
    (Rule("tempfail", count=1, params={"stage": "mail"}), smtplib.SMTPSenderRefused, 451),
    (Rule("tempfail", attempts=1), smtplib.SMTPRecipientsRefused, 451),
    (Rule("tempfail", attempts=1, params={"stage": "data", "code": 452}), smtplib.SMTPDataError, 452),
    (Rule("tempfail", attempts=1, params={"stage": "dot", "code": 554}), smtplib.SMTPDataError, 554),
]


def test_every_fault_has_a_row() -> None:
    assert {rule.fault for rule, _, _ in ROWS} == set(FAULTS)


@pytest.mark.parametrize(("rule", "error", "code"), ROWS, ids=lambda value: getattr(value, "fault", None))
def test_the_row_of_a_fault(
    sink: Sink, rule: Rule, error: type[smtplib.SMTPException] | None, code: int | None
) -> None:
    fault = FAULTS[rule.fault]
    sink.plan(rule)
    if error is None:
        sink.send(KEY)
    else:
        with pytest.raises(error) as caught:
            sink.send(KEY)
        assert caught.type is error
        assert error.__name__ in fault.client_sees
        assert code == _code(caught.value)
    sink.until("session_end")
    assert len(sink.records("stored")) == fault.stored
    assert sink.counters()["faults"][rule.fault] == 1
    if error is not None:
        # Once more on a new connection, after attempts=1 or count=1: a plain retry.
        sink.send(KEY, attempt=2)
        assert len(sink.records("stored")) == 1 + fault.retry_duplicates
    ends = [end["fault"] for end in sink.records("session_end")]
    assert ends[0] == rule.fault
    assert set(ends[1:]) <= {None}


def _code(error: smtplib.SMTPException) -> int | None:
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
