"""The pytest plugin, in a pytest of its own; and the tests in the documentation, which pass as printed."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

pytest_plugins = ["pytester"]

DOCUMENT = Path(__file__).parents[3] / "docs/use-in-tests.md"

SHARED = """
import os, smtplib

def send(sink, key):
    with smtplib.SMTP(sink.smtp_host, sink.smtp_port, timeout=10) as smtp:
        smtp.sendmail("f@c.test", "t@s.test", f"X-Job-Key: {key}\\nSubject: About {key}\\n\\nHello\\n")

def note(process):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(f"{process.pid}\\n")
"""

ISOLATED = """
import pytest
from shared import note, send

@pytest.mark.parametrize("turn", [1, 2])
def test_each_begins_like_the_first(mail_sink, mail_sink_process, turn):
    note(mail_sink_process)
    assert mail_sink.mails() == []
    assert mail_sink.counted["sessions"] == 0
    send(mail_sink, "a")
    assert mail_sink.verify(["a"])
    assert mail_sink.counted["stored"] == 1
    mail_sink.set_phase("flood")
    mail_sink.set_plan([{"fault": "refuse_connection"}])
"""

FAILING = """
import os, pytest, signal
from shared import note, send

def test_fails(mail_sink, mail_sink_process):
    note(mail_sink_process)
    send(mail_sink, "lonely")
    mail_sink.set_plan([{"fault": "greylist"}])
    assert mail_sink.verify(["other"])

def test_passes(mail_sink):
    send(mail_sink, "quiet")

def test_fails_without_a_sink():
    assert not "without"

def test_kills_the_sink(mail_sink, mail_sink_process):
    os.kill(mail_sink_process.pid, signal.SIGKILL)
    mail_sink.mails()
"""

UNUSED = """
import sys

def test_fails_and_loads_nothing():
    assert "fake_smtp.pytest_plugin" in sys.modules
    assert not {"fake_smtp.client", "requests", "aiohttp", "sqlite3"} & sys.modules.keys()
    assert not "reported"
"""

LOGIN = """
import pytest, smtplib

def test_the_login_is_asked_for(mail_sink):
    with smtplib.SMTP(mail_sink.smtp_host, mail_sink.smtp_port, timeout=10) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail("f@c.test", "t@s.test", "Subject: x")
        smtp.login("shop", "not so secret")
        smtp.sendmail("f@c.test", "t@s.test", "Subject: x")
    assert mail_sink.counted["stored"] == 1
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Run pytest with the plugin and no other than those named; warnings are errors."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    temporary = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("NOTES", str(pytester.path / "notes"))
    base = pytester.path / "base"

    def run(*options: str) -> pytest.RunResult:
        named = ["-p", "fake_smtp.pytest_plugin", "-p", "no:cacheprovider", "-W", "error", "--basetemp", base]
        result = pytester.runpytest_subprocess(*named, *options)
        assert not list(temporary.iterdir())
        return result

    return run


def section(output: str, test: str) -> str:
    """What stands under the heading of one failed test, from "mail sink" on."""
    return output.split(f" {test} ")[1].split("\n____", maxsplit=1)[0].partition(" mail sink ")[2]


def test_tests_do_not_see_each_other_and_failed_ones_show_the_sink(run, pytester: pytest.Pytester) -> None:
    # The last test of the second file kills the sink; without xdist both files share it.
    pytester.makepyfile(shared=SHARED, test_1_isolated=ISOLATED, test_2_failing=FAILING)
    workers = ["-p", "xdist.plugin", "-n", "2", "--dist", "loadfile"] if find_spec("xdist") else []
    result = run(*workers)
    result.assert_outcomes(passed=3, failed=3)
    output = result.stdout.str()
    failed = section(output, "test_fails")
    assert re.search(r"#\d+ key lonely, to t@s\.test: 'About lonely'", failed)
    assert '"fault": "greylist"' in failed
    assert "assert 1 missing: other; 1 unexpected: lonely" in output
    assert section(output, "test_fails_without_a_sink") == ""
    assert "nobody answers" in section(output, "test_kills_the_sink")
    pids = (pytester.path / "notes").read_text().split()
    assert sorted(map(pids.count, set(pids))) == ([1, 2] if workers else [3]), "one sink for each worker"
    assert not any(psutil.pid_exists(int(pid)) for pid in pids)


def test_a_run_that_asks_for_no_sink_loads_nothing(run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(UNUSED)
    result = run()
    result.assert_outcomes(failed=1)
    assert 'assert not "reported"' in result.stdout.str().replace("'", '"')
    assert "mail sink" not in result.stdout.str()


def test_the_tests_in_the_documentation_pass(run, pytester: pytest.Pytester) -> None:
    tests, own_sink = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    pytester.makepyfile(test_documented=tests)
    own = pytester.mkdir("own")
    (own / "conftest.py").write_text(own_sink)
    (own / "test_own.py").write_text(LOGIN)
    run().assert_outcomes(passed=3)
