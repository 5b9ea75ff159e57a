"""What each error means for an operator, without a server: the SMTP replies, the settings' exit code."""

import pytest

from system import __main__ as command
from system import check


def findings(look, settings):
    found = {}
    check._look("part", look, settings, found)
    return found["part"]


@pytest.mark.parametrize(
    ("script", "words", "advice"),
    [
        ([b"554 go away\r\n"], "554 go away", "SMTP_HOST"),
        ([b"220 hi\r\n", b"500 what\r\n", b"500 what\r\n"], "500 what", "SMTP_HOST"),
        ([b"220 hi\r\n", b"250 hi\r\n"], "does not offer STARTTLS", "SMTP_STARTTLS"),
        ([b"2"], "", "SMTP_HOST"),
        (["silence"], "", "SMTP_HOST"),
    ],
)
def test_a_mail_server_that_does_not_play(server, settings, script, words, advice):
    port = server([*script, "close"]).port
    [found] = findings(check.smtp, settings(smtp_port=port, smtp_starttls=True, smtp_timeout_s=0.5))
    assert (found.level, found.part) == ("FAIL", "part")
    assert words in found.words
    assert str(port) in found.words
    assert advice in found.advice


def test_a_refused_login_points_at_the_login(server, settings):
    port = server([b"220 hi\r\n", b"250-hi\r\n250 AUTH PLAIN\r\n", b"535 no geheim\r\n", "close"]).port
    [found] = findings(
        check.smtp, settings(smtp_port=port, smtp_username="me", smtp_password="geheim", smtp_timeout_s=2)
    )
    assert found.line() == (
        f"FAIL  part      127.0.0.1:{port} says auth: 535 no *** -> look at SMTP_USERNAME, SMTP_PASSWORD"
    )


def test_no_mail_is_begun(server, settings):
    one = server([b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"221 bye\r\n"])
    [found] = findings(check.smtp, settings(smtp_port=one.port))
    assert found.level == "ok"
    one.stop()
    words = [line.split()[0].lower() for line in one.heard[0].splitlines()]
    assert words == [b"ehlo", b"noop", b"quit"]


def test_without_receipts_the_policy_is_told(settings):
    [found] = findings(check.receipts, settings())
    assert (found.level, found.words.partition(": ")[2]) == (
        "ok",
        "a mail in doubt is held for an operator (DOUBT_POLICY)",
    )


def test_a_wrong_setting_ends_with_two(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEASE_S", "soon")
    assert command.main(["check"]) == 2
    assert "LEASE_S='soon' is not allowed" in capsys.readouterr().err


def test_settings_are_printed_without_secrets(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEDGER_URL", "redis://:geheim@db/0")
    assert command.main(["settings"]) == 0
    printed = capsys.readouterr().out
    assert "* LEDGER_URL=redis://:***@db/0" in printed
    assert "geheim" not in printed
