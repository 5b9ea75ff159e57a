"""The command line of the load, and what stopping it promises."""

import ast
import itertools
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import loadtests.launch
from loadtests.launch import LoadSpec, argv, stop

SPEC = LoadSpec("http://127.0.0.1:5000", 25.0, 7, "r1", Path("/tmp/x"), "poisson", 30.0, 0.1)


def test_argv_says_everything():
    words = argv(SPEC)
    assert words[:3] == [sys.executable, "-m", "locust"]
    told = dict(itertools.pairwise(words))
    assert told["--host"] == "http://127.0.0.1:5000"
    assert (told["--rate"], told["--arrivals"], told["--for-s"]) == ("25.0", "poisson", "30.0")
    assert (told["--seed"], told["--run-id"], told["--evidence"]) == ("7", "r1", "/tmp/x")
    assert (told["--status-share"], told["-u"], told["-r"]) == ("0.1", "1", "1")
    assert {"--headless", "--only-summary"} <= set(words)
    assert "--processes" not in words


def test_processes():
    spec = LoadSpec("http://x", 1, 1, "r", Path("e"), processes=3)
    told = dict(itertools.pairwise(argv(spec, 41000)))
    assert (told["--processes"], told["-u"]) == ("3", "3")
    for side in ("--master", "--master-bind"):
        assert (told[f"{side}-host"], told[f"{side}-port"]) == ("127.0.0.1", "41000")
    with pytest.raises(ValueError, match="a port at which they meet"):
        argv(spec)
    with pytest.raises(ValueError, match="at least 1"):
        argv(LoadSpec("http://x", 1, 1, "r", Path("e"), processes=0))


def test_the_sink_and_locusts_own_report():
    words = argv(
        LoadSpec("http://x", 1, 1, "r", Path("e"), sink="http://s", settle_s=2.0, stats=Path("d/load"))
    )
    told = dict(itertools.pairwise(words))
    assert (told["--sink"], told["--settle-s"]) == ("http://s", "2.0")
    assert (told["--csv"], told["--html"]) == ("d/load", "d/load.html")
    assert not {"--sink", "--settle-s", "--csv", "--html"} & set(argv(SPEC))


def test_plan_in_words():
    assert str(SPEC) == "poisson at 25/s for 30 s to http://127.0.0.1:5000, seed 7, status of 10% read"
    assert (
        str(LoadSpec("http://x", 1, 1, "r", Path("e"))) == "constant at 1/s until stopped to http://x, seed 1"
    )


def test_mails_only_is_the_default_and_a_replay_brings_its_own_kinds():
    def told(**more):
        return dict(itertools.pairwise(argv(LoadSpec("http://x", 1, 1, "r", Path("e"), **more))))

    assert told()["--mix"] == "email"
    assert told(mix="email=1,add=1")["--mix"] == "email=1,add=1"
    assert "--mix" not in told(arrivals="replay:/runs/1")


def test_the_closed_model_has_users():
    spec = LoadSpec(
        "http://x",
        1,
        1,
        "r",
        Path("e"),
        mix="email,add",
        model="closed",
        users=5,
        think_s=0.5,
        until_done=True,
    )
    told = dict(itertools.pairwise(argv(spec)))
    assert (told["--model"], told["-u"], told["-r"]) == ("closed", "5", "5")
    assert (told["--think-s"], told["--until-done"]) == ("0.5", "1")
    words = "closed model, 5 users thinking 0.5 s until stopped to http://x, seed 1, mix email,add"
    assert str(spec) == words


def test_never_imports_locust():
    tree = ast.parse(Path(loadtests.launch.__file__).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in names if name.split(".")[0] in {"locust", "gevent", "geventhttpclient"}}
    code = "import sys, loadtests.launch; sys.exit(any(m in sys.modules for m in ('locust', 'gevent')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def spawn(code):
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdout
    return process, process.stdout.readline()


def test_stop_lets_it_end_by_itself():
    code = (
        "import signal, sys; signal.signal(15, lambda *_: sys.exit(5)); print(1, flush=True); signal.pause()"
    )
    process, _ = spawn(code)
    with process:
        assert stop(process, 10.0) == 5
        assert stop(process, 10.0) == 5


def test_stop_kills_the_deaf_with_their_children():
    code = (
        "import signal, subprocess, sys; signal.signal(15, signal.SIG_IGN);"
        "child = subprocess.Popen(['sleep', '600']); print(child.pid, flush=True); signal.pause()"
    )
    process, line = spawn(code)
    with process:
        assert stop(process, 0.2) == -9
    end = time.monotonic() + 10
    while _alive(int(line)):
        assert time.monotonic() < end
        time.sleep(0.01)


def _alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
