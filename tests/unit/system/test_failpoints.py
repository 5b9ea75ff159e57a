"""Failpoints are read strictly, fire once where asked to, and cost nothing when off."""

import subprocess
import sys

import pytest

from system import failpoints


def run(name, **env):
    code = f"from system.failpoints import hit; hit({name!r}); print('after')"
    return subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=30, check=False
    )


def test_off_does_nothing():
    assert run("mail.after_dot").stdout == "after\n"


def test_crash_is_a_sigkill():
    assert run("mail.after_dot", FAILPOINTS="mail.after_dot=crash").returncode == -9


def test_once_for_all_processes(tmp_path):
    env = {"FAILPOINTS": "mail.after_dot=exit", "FAILPOINTS_DIR": str(tmp_path)}
    assert run("mail.after_dot", **env).returncode == 1
    assert run("mail.after_dot", **env).returncode == 0


def test_pause():
    assert run("mail.after_dot", FAILPOINTS="mail.after_dot=pause:0.01").stdout == "after\n"


@pytest.mark.parametrize(
    "text", ["x=crash", "mail.after_dot=burn", "mail.after_dot=pause:", "mail.after_dot"]
)
def test_a_wrong_point_is_named(text):
    with pytest.raises(failpoints.FailpointError, match=r"failpoint|allowed"):
        failpoints.parse(text)
