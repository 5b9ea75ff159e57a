"""Every shape of reply, at every stage, against a real socket; from servers with and without PIPELINING."""

import shutil
import subprocess
import time

import pytest

from system.delivery.mailer import Mailer
from system.delivery.message import dot_stuffed
from system.delivery.session import Session
from system.settings import Settings
from tests.conftest import need
from tests.unit.system.conftest import offering

HELLO = [b"220 hi\r\n", b"250 me\r\n"]
UP_TO_354 = [*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]
RAW = b"Subject: x\r\n\r\n.dot\r\nlast\r\n"


class Gate:
    def __init__(self, *, mine=True, begin=True, in_time=True):
        self.mine, self.may_begin, self.may_finish = mine, begin, in_time
        self.calls = []

    def still_mine(self):
        return self.mine

    def begin(self):
        self.calls.append("begin")
        return self.may_begin

    def in_time(self):
        self.calls.append("in_time")
        return self.may_finish


@pytest.fixture(params=[False, True], ids=["one by one", "pipelined"])
def pipelined(request):
    return request.param


@pytest.fixture
def server(server, pipelined):
    """A scripted server of either kind; the scripts answer line by line, however the lines come."""

    def make(*scripts):
        return server(*(offering(b"PIPELINING", script) if pipelined else script for script in scripts))

    return make


@pytest.fixture
def mailer(settings):
    made = []

    def make(server, **changes):
        base = {"smtp_port": server.port, "smtp_timeout_s": 0.4}
        made.append(Mailer(settings(**{**base, **changes})))
        return made[-1]

    yield make
    for one in made:
        one.drop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for `localhost` and its key in one file."""
    need(shutil.which("openssl"), "openssl")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(path), "-out", f"{path}.cert"]
    subprocess.run(command, check=True, capture_output=True)
    with path.open("ab") as both:
        both.write(path.with_name("both.pem.cert").read_bytes())
    return path


def send(mailer, gate=None):
    return mailer.send(RAW, "to@example.org", gate or Gate())


def at_dot(answer):
    return [*UP_TO_354, ("data", answer)]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"250 stored\r\n", "sent"),
        (b"250-two\r\n250 lines\r\n", "sent"),
        (b"251 other\r\n", "sent"),
        (b"451 later\r\n", "retry"),
        (b"421 going\r\n", "retry"),
        (b"554 never\r\n", "failed"),
        (b"354 what\r\n", "in_doubt"),
        (b"199 what\r\n", "in_doubt"),
        (b"25\r\n", "in_doubt"),
        (b"garbage\r\n", "in_doubt"),
        (b"\r\n", "in_doubt"),
        ([b""], "in_doubt"),
        ([b"2"], "in_doubt"),
        ([b"25"], "in_doubt"),
        ([b"250"], "in_doubt"),
        ([b"250 stored"], "in_doubt"),
        ([b"250-stored\r\n"], "in_doubt"),
        ([b"55"], "in_doubt"),
        ("close", "in_doubt"),
        ("silence", "in_doubt"),
    ],
)
def test_only_a_complete_reply_to_the_dot_decides(server, mailer, answer, kind):
    assert send(mailer(server([*at_dot(answer), b"250 reset\r\n"]))).kind == kind


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"450 later\r\n", "retry"),
        (b"550 no\r\n", "failed"),
        (b"530 log in\r\n", "here"),
        (b"25\r\n", "retry"),
        ([b"25"], "retry"),
        ("close", "retry"),
        ("silence", "retry"),
    ],
)
def test_a_refusal_before_the_354_is_definite(server, mailer, stage, answer, kind):
    good = {"mail": 2, "rcpt": 3, "data": 4}[stage]
    outcome = send(mailer(server([*UP_TO_354[:good], answer, b"250 reset\r\n"])))
    if kind == "here":
        # Once MAIL is accepted the login is good, and this is a refusal like any other.
        kind = "login" if stage == "mail" else "failed"
    assert (outcome.kind, outcome.stage) == (kind, stage)


@pytest.mark.parametrize(
    "script",
    [
        [b"421 busy\r\n"],
        [b"554 no service\r\n"],
        ["close"],
        ["silence"],
        [b"220 hi\r\n", b"502 what\r\n"],
        [b"220 hi\r\n", "close"],
    ],
)
def test_trouble_before_the_login_is_nobodys_fault(server, mailer, script):
    assert send(mailer(server(script))).kind == "retry"


def test_nobody_listens(settings, server):
    listener = server()
    listener.stop()
    assert send(Mailer(settings(smtp_port=listener.port))).kind == "retry"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"535 wrong\r\n", "login"),
        (b"454 not now\r\n", "login"),
        (b"530 no\r\n", "login"),
        (b"421 bye\r\n", "retry"),
        ("close", "retry"),
        ("silence", "retry"),
    ],
)
def test_a_refused_login_concerns_the_login(server, mailer, answer, kind):
    listening = server([b"220 hi\r\n", b"250-me\r\n250 AUTH PLAIN LOGIN\r\n", answer])
    outcome = send(mailer(listening, smtp_username="u", smtp_password="secret"))
    assert outcome.kind == kind
    assert "secret" not in outcome.words


def test_no_login_offered_is_a_refused_login(server, mailer):
    assert send(mailer(server(HELLO), smtp_username="u", smtp_password="p")).kind == "login"


def test_starttls_demanded_and_not_offered_waits(server, mailer):
    assert send(mailer(server(HELLO), smtp_starttls=True)).kind == "retry"


def test_a_stale_lease_leaves_no_body_on_the_wire(server, mailer):
    listening = server([*UP_TO_354])
    gate = Gate(begin=False)
    assert send(mailer(listening), gate).kind == "stale"
    listening.stop()
    assert listening.heard[0].endswith(b"DATA\r\n")


def test_a_lease_used_up_leaves_no_dot_on_the_wire(server, mailer):
    listening = server([*UP_TO_354])
    assert send(mailer(listening), Gate(in_time=False)).kind == "stale"
    listening.stop()
    assert listening.heard[0].endswith(dot_stuffed(RAW))
    assert b"\r\n.\r\n" not in listening.heard[0]


def test_a_lost_lease_says_no_command(server, mailer):
    listening = server([*HELLO])
    sender = mailer(listening)
    assert send(sender, Gate(mine=False)).kind == "stale"
    sender.drop()
    listening.stop()
    assert b"MAIL" not in listening.heard[0]


def test_the_dot_comes_after_both_questions(server, mailer):
    gate = Gate()
    listening = server(at_dot(b"250 stored\r\n"))
    assert send(mailer(listening), gate).kind == "sent"
    assert gate.calls == ["begin", "in_time"]
    assert b"\r\n\r\n..dot\r\nlast\r\n.\r\n" in listening.heard[0]


def test_a_connection_is_kept_between_mails(server, mailer):
    one = [b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", ("data", b"250 stored\r\n")]
    listening = server([*HELLO, *one, *one])
    sender = mailer(listening)
    assert [send(sender).kind, send(sender).kind] == ["sent", "sent"]
    assert listening.heard[0].count(b"ehlo") == 1


@pytest.mark.parametrize("ending", ["close", [b"421 idle\r\n"]])
@pytest.mark.parametrize("good", [0, 1, 2])
def test_a_dead_kept_connection_is_replaced_once(server, mailer, ending, good):
    """A server may drop an idle connection; before the 354 that costs nothing but another connection."""
    before = [b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"][:good]
    listening = server([*at_dot(b"250 stored\r\n"), *before, ending], at_dot(b"250 stored\r\n"))
    sender = mailer(listening)
    assert [send(sender).kind, send(sender).kind] == ["sent", "sent"]
    assert len(listening.heard) == 2


def test_a_fresh_connection_is_not_replaced(server, mailer):
    listening = server([*HELLO, "close"], at_dot(b"250 stored\r\n"))
    assert send(mailer(listening)).kind == "retry"
    assert len(listening.heard) == 1


def test_a_kept_connection_that_dies_after_the_dot_is_in_doubt(server, mailer):
    again = [b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", ("data", "close")]
    listening = server([*at_dot(b"250 stored\r\n"), *again], at_dot(b"250 stored\r\n"))
    sender = mailer(listening)
    assert [send(sender).kind, send(sender).kind] == ["sent", "in_doubt"]
    assert len(listening.heard) == 1


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_after_a_refused_mail_the_connection_is_reset_and_kept(server, mailer, pipelined, stage):
    rest = [b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", ("data", b"250 stored\r\n")]
    good = {"mail": 0, "rcpt": 1, "data": 2}[stage]
    owed = [b"503 what\r\n", b"554 no recipients\r\n"][good:] if pipelined else []
    listening = server([*HELLO, *rest[:good], b"550 no\r\n", *owed, b"250 reset\r\n", *rest])
    sender = mailer(listening)
    first, second = send(sender), send(sender)
    assert (first.kind, first.stage, first.words, second.kind) == (
        "failed",
        stage,
        f"{stage}: 550 no",
        "sent",
    )
    assert len(listening.heard) == 1


@pytest.mark.parametrize("pipelined", [True], ids=["pipelined"])
class TestPipelined:
    """The three commands are out at once, so a server may still say 354 to a mail that it has refused."""

    def test_three_commands_are_one_write_and_the_body_waits_for_the_354(self, server, mailer, monkeypatch):
        writes = []
        real = Session.send
        monkeypatch.setattr(Session, "send", lambda session, data: (writes.append(data), real(session, data)))
        assert send(mailer(server(at_dot(b"250 stored\r\n")))).kind == "sent"
        group = f"MAIL FROM:<{Settings(_env_file=None).mail_from}>\r\nRCPT TO:<to@example.org>\r\nDATA\r\n"
        assert writes[1:] == [group, dot_stuffed(RAW), b".\r\n"]

    def test_replies_that_come_as_one_are_read_one_by_one(self, server, mailer):
        together = [
            *HELLO,
            b"250 ok\r\n250-fine\r\n250 ok\r\n354 go\r\n",
            b"",
            b"",
            ("data", b"250 stored\r\n"),
        ]
        assert send(mailer(server(together))).kind == "sent"

    @pytest.mark.parametrize("refused", ["mail", "rcpt"])
    def test_a_354_after_a_refusal_gets_no_dot(self, server, mailer, refused):
        answers = [b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]
        answers[["mail", "rcpt"].index(refused)] = b"550 no\r\n"
        listening = server([*HELLO, *answers], at_dot(b"250 stored\r\n"))
        sender, gate = mailer(listening), Gate()
        outcome = send(sender, gate)
        assert (outcome.kind, outcome.stage, gate.calls) == ("failed", refused, [])
        assert send(sender).kind == "sent"
        assert listening.heard[0].endswith(b"DATA\r\n"), "the connection is closed without another byte"

    @pytest.mark.parametrize("owed", ["close", [b"55"], "silence", b"garbage\r\n", b"250 ok\r\n", b"\r\n"])
    def test_a_refusal_stands_whatever_becomes_of_the_replies_after_it(self, server, mailer, owed):
        sender = mailer(server([*HELLO, b"250 ok\r\n", b"450 later\r\n", owed, b"250 reset\r\n"]))
        outcome = send(sender)
        assert (outcome.kind, outcome.words) == ("retry", "rcpt: 450 later")
        assert sender._session is None

    @pytest.mark.parametrize(
        ("replies", "stage"),
        [
            ([b"250 ok\r\n25"], "rcpt"),
            ([b"250 ok\r\n"], "rcpt"),
            ([b"250 ok\r\n250 ok\r\n3"], "data"),
            ([b"250 ok\r\n250 ok\r\n354 go"], "data"),
            ([b"250 ok\r\n250 ok\r\n354-go\r\n"], "data"),
            ([b"2"], "mail"),
        ],
    )
    def test_a_cut_between_the_replies_is_definite(self, server, mailer, replies, stage):
        gate = Gate()
        outcome = send(mailer(server([*HELLO, replies])), gate)
        assert (outcome.kind, outcome.stage, gate.calls) == ("retry", stage, [])

    def test_replies_that_dribble_after_a_refusal_have_one_limit(self, server, mailer):
        began = time.monotonic()
        assert send(mailer(server([*HELLO, b"550 no\r\n", b"503-a\r\n", b"503-b\r\n"]))).kind == "failed"
        assert time.monotonic() - began < 3

    @pytest.mark.parametrize("asked", [1, 2, 3])
    def test_a_lease_lost_between_two_replies_leaves_no_body(self, server, mailer, asked):
        class Losing(Gate):
            left = asked + 2  # the banner and EHLO ask too

            def still_mine(self):
                self.left -= 1
                return self.left > 0

        listening, gate = server(at_dot(b"250 stored\r\n")), Losing()
        sender = mailer(listening)
        assert (send(sender, gate).kind, gate.calls) == ("stale", [])
        sender.drop()
        listening.stop()
        assert listening.heard[0].endswith(b"DATA\r\n" if asked > 1 else b"\r\n")
        assert (b"DATA" in listening.heard[0]) == (asked > 1)

    def test_a_line_break_in_a_recipient_is_never_written(self, server, mailer):
        listening = server(at_dot(b"250 stored\r\n"))
        sender = mailer(listening)
        assert sender.send(RAW, "a@b.c>\r\nRCPT TO:<d@e.f", Gate()).kind == "retry"
        listening.stop()
        assert b"RCPT" not in listening.heard[0]

    def test_starttls_forgets_what_was_offered_before_it(self, server, mailer, certificate):
        encrypted = [(certificate, b"220 go\r\n"), b"250 it\r\n", *UP_TO_354[2:], ("data", b"250 stored\r\n")]
        listening = server([b"220 hi\r\n", b"250-me\r\n250 STARTTLS\r\n", *encrypted])
        sender = mailer(listening, smtp_starttls=True, smtp_host="localhost", smtp_ca_file=str(certificate))
        assert send(sender).kind == "sent"
        assert not sender._session.pipelining


def test_a_dribbled_reply_has_one_limit(server, mailer):
    listening = server(at_dot(b"250 very slow"))
    began = time.monotonic()
    assert send(mailer(listening)).kind == "in_doubt"
    assert time.monotonic() - began < 3


def test_probe_tells_whether_a_login_works(server, mailer):
    offer = b"250-me\r\n250 AUTH PLAIN\r\n"
    good = server([b"220 hi\r\n", offer, b"235 ok\r\n", b"250 ok\r\n", b"250 ok\r\n"])
    bad = server([b"220 hi\r\n", offer, b"535 no\r\n"])
    assert mailer(good, smtp_username="u", smtp_password="p").probe().kind == "sent"
    assert mailer(bad, smtp_username="u", smtp_password="p").probe().kind == "login"


def test_starttls_checks_the_certificate_and_sends(server, mailer, certificate):
    script = [
        b"220 hi\r\n",
        b"250-me\r\n250 STARTTLS\r\n",
        (certificate, b"220 go\r\n"),
        *at_dot(b"250 ok\r\n")[1:],
    ]
    good = mailer(server(script), smtp_starttls=True, smtp_host="localhost", smtp_ca_file=str(certificate))
    assert send(good).kind == "sent"
    untrusted = send(mailer(server(script), smtp_starttls=True, smtp_host="localhost"))
    assert (untrusted.kind, "CERTIFICATE_VERIFY_FAILED" in untrusted.words) == ("retry", True)
    wrong_name = send(mailer(server(script), smtp_starttls=True, smtp_ca_file=str(certificate)))
    assert (wrong_name.kind, "CERTIFICATE_VERIFY_FAILED" in wrong_name.words) == ("retry", True)


@pytest.mark.parametrize(
    ("where", "kind"), [("open", "retry"), ("expect", "retry"), ("send", "retry"), ("getreply", "in_doubt")]
)
def test_what_nobody_expected_is_an_outcome(server, mailer, monkeypatch, where, kind):
    """A bug of ours must be backed off and aged like every failure, and never look certain after the dot."""
    sender = mailer(server(at_dot(b"250 stored\r\n"), at_dot(b"250 stored\r\n")))

    def broken(*_):
        raise ZeroDivisionError("bug")

    real = Session.send

    def at_the_dot(session, data):
        real(session, data)
        if data == b".\r\n":
            monkeypatch.setattr(Session, "getreply", broken)

    monkeypatch.setattr(Session, *(("send", at_the_dot) if where == "getreply" else (where, broken)))
    outcome = send(sender)
    assert (outcome.kind, "ZeroDivisionError" in outcome.words) == (kind, True)
    assert sender._session is None
    monkeypatch.undo()
    if where != "open":
        assert send(sender).kind == "sent"


def test_a_bug_in_the_probe_is_no_login(mailer, server, monkeypatch):
    monkeypatch.setattr(Session, "open", lambda *_: 1 / 0)
    assert mailer(server()).probe().kind == "retry"


@pytest.mark.parametrize("code", [500, 502, 503, 504])
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_a_conversation_out_of_step_is_begun_anew(server, mailer, code, stage):
    good = {"mail": 2, "rcpt": 3, "data": 4}[stage]
    listening = server([*UP_TO_354[:good], b"%d what\r\n" % code], at_dot(b"250 stored\r\n"))
    sender = mailer(listening)
    assert [send(sender).kind, send(sender).kind] == ["retry", "sent"]


def test_a_reply_before_the_dot_leaves_no_dot_on_the_wire(server, mailer):
    listening = server([*UP_TO_354[:-1], b"354 go\r\n451 too much\r\n"])
    outcome = send(mailer(listening))
    assert (outcome.kind, outcome.stage) == ("retry", "body")
    listening.stop()
    assert b"\r\n.\r\n" not in listening.heard[0]


@pytest.mark.parametrize("code", [b"530", b"535"])
def test_a_login_lost_on_a_kept_connection_is_tried_anew(server, mailer, code):
    listening = server([*at_dot(b"250 stored\r\n"), code + b" log in\r\n"], at_dot(b"250 stored\r\n"))
    sender = mailer(listening)
    assert [send(sender).kind, send(sender).kind] == ["sent", "sent"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(b"530 no", "login"), (b"421 bye", "retry"), (b"550 not you", "sent"), (b"451 later", "sent")],
)
def test_the_probe_asks_at_mail_too(server, mailer, reply, kind):
    assert mailer(server([*HELLO, reply + b"\r\n", b"250 ok\r\n"])).probe().kind == kind


def test_a_slow_login_renews_the_lease_and_is_kept_when_it_is_lost(server, mailer):
    asked = []

    class Losing(Gate):
        def still_mine(self):
            asked.append(self)
            return False

    listening = server([*at_dot(b"250 stored\r\n")])
    sender = mailer(listening)
    assert send(sender, Losing()).kind == "stale"
    assert len(asked) == 3, "after the banner, after EHLO, before MAIL"
    assert send(sender).kind == "sent"
    assert len(listening.heard) == 1
