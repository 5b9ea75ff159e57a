"""What a real sink writes fits the schema of evidence: mails, faults, a refused login, a cut conversation."""

from __future__ import annotations

import smtplib

import pytest

from fake_smtp.plan import Rule
from reports.evidence import DELIVERIES, read
from tests.integration.fake_smtp.conftest import Sink
from tests.unit.reports.test_render_schema import whole


def test_what_the_sink_writes_fits(tmp_path):
    sink = Sink(tmp_path)
    sink.send()
    sink.plan(Rule("drop_after_dot", count=1))
    with pytest.raises(smtplib.SMTPServerDisconnected):
        sink.send("run-1-000002")
    with sink.client(login=False) as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login("user", "wrong")
    with sink.wire(upto_data=True) as wire:
        wire.sock.sendall(b"half a mail")
    sink.http("PUT", "/phase", {"phase": "storm"})
    assert sink.stop()[0] == 0
    whole(tmp_path, DELIVERIES)
    events = {record["event"] for record in read(tmp_path / DELIVERIES).records}
    assert events >= {"stored", "reply", "fault", "refused", "aborted", "session_end", "plan", "phase"}
