"""The SMTP servers that sink_bench measures, as processes on free loopback ports; one is awake at a time.

Used as a context manager: it ends all of them and removes their folder, whatever happens. Built from parts of
the harness. Sends no mail.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import psutil

from benchmarks.smtp_load import PASSWORD, USERNAME
from benchmarks.stage import accepts_connections
from chaos import http
from chaos.errors import HarnessError
from chaos.paths import PROJECT
from chaos.signals import shielded
from chaos.stack.ports import HOST, Ports
from chaos.stack.process import Managed, Spec, clean_environment

OURS, OURS_OPEN, STOCK = "ours", "ours-open", "stock"
SMTP_SINK, SMALL_SINK, GREENMAIL = "smtp-sink", "small-sink", "greenmail"
# asyncio reads into 256 KiB, which glibc maps and unmaps each time, unless something as large has been freed
# before: chance, and worth a fifth of a mail. This is glibc's own limit, but one that stays.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(2**17)}
SPARED = {"MALLOC_MMAP_THRESHOLD_": str(2**20), "MALLOC_TRIM_THRESHOLD_": str(2**23)}


def debian_tool(name: str) -> str | None:
    """Where a tool of Postfix is; Debian keeps it where a user's PATH does not lead."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")


@dataclass(frozen=True)
class Side:
    """One server; `share`, by mode, is how many mails it gets for one of ours, to take as long."""

    name: str
    port: int
    argv: list[str]
    ready: Callable[[], bool]
    login: bool = True
    open: bool = True
    """Whether it takes mails from senders who do not log in."""
    control: int = 0
    """Port of its HTTP API, when it has one."""
    share: dict[str, float] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)


class Sides:
    """The running servers. Raises HarnessError when one that was asked for cannot be had."""

    def __init__(self, *, uvloop: bool = False, spared: bool = False, greenmail: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mailstorm-bench-"))
        self._ports = Ports()
        self._managed: dict[str, Managed] = {}
        try:
            found = [self._ours(OURS), self._stock(STOCK), self._smtp_sink(), self._ours(OURS_OPEN)]
            found += [self._stock("stock-uvloop", "uvloop")] if uvloop else []
            found += [replace(self._stock("stock-malloc"), env=SPARED)] if spared else []
            found += [self._greenmail(greenmail)] if greenmail else []
        except BaseException:
            self.stop()
            raise
        self.all = {side.name: side for side in found}

    def __enter__(self) -> Sides:
        try:
            for side in self.all.values():
                self._launch(side)
            for name in self.all:
                self.halt(name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- how each is started ----------------------------------------------------------------------------

    def _ours(self, name: str) -> Side:
        port, control = self._ports.take(), self._ports.take()
        argv = [
            *(sys.executable, "-m", "fake_smtp", "--out", str(self._folder / name / "evidence")),
            *("--smtp-port", str(port), "--control-port", str(control)),
            *(("--username", USERNAME) if name == OURS else ()),
        ]
        ready = partial(http.answers, f"http://{HOST}:{control}/health")
        return Side(
            name, port, argv, ready, login=name == OURS, open=name != OURS, control=control, env=MALLOC
        )

    def _stock(self, name: str, *loop: str) -> Side:
        if loop and importlib.util.find_spec("uvloop") is None:
            raise HarnessError("uvloop is not installed here: leave --aiosmtpd-uvloop out")
        port = self._ports.take()
        argv = [sys.executable, "-m", "benchmarks.stock_sink", str(port), USERNAME, PASSWORD, *loop]
        return Side(name, port, argv, partial(accepts_connections, port), env=MALLOC)

    def _smtp_sink(self) -> Side:
        port, found = self._ports.take(), debian_tool("smtp-sink")
        # As root it insists on another user.
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        argv = (
            [found, *user, f"{HOST}:{port}", "1024"]
            if found
            else [sys.executable, "-m", "benchmarks.small_sink", str(port)]
        )
        name = SMTP_SINK if found else SMALL_SINK
        return Side(
            name, port, argv, partial(accepts_connections, port), login=False, share={"each": 3, "kept": 3}
        )

    def _greenmail(self, jar: Path) -> Side:
        java = shutil.which("java")
        if java is None or not jar.is_file():
            raise HarnessError(f"{jar} is not there" if java else "there is no java here for --greenmail")
        port, control = self._ports.take(), self._ports.take()
        settings = {
            "hostname": HOST,
            "smtp.port": port,
            "users": f"{USERNAME}:{PASSWORD}@example.org",
            "api.port": control,
            "api.hostname": HOST,
        }
        flags = [f"-Dgreenmail.{name}={value}" for name, value in settings.items()]
        argv = [java, *flags, "-jar", str(jar.resolve())]
        ready = partial(http.answers, f"http://{HOST}:{control}/api/service/readiness")
        return Side(GREENMAIL, port, argv, ready, control=control, share={"each": 0.1})

    def _launch(self, side: Side) -> None:
        folder = self._folder / side.name
        folder.mkdir()
        path = os.pathsep.join(word for word in (str(PROJECT), os.environ.get("PYTHONPATH")) if word)
        env = {
            **clean_environment(),
            **side.env,
            "HOME": str(folder),
            "PYTHONPATH": path,
            "FAKE_SMTP_PASSWORD": PASSWORD,
        }
        # smtp-sink gives its root away, and looks into the folder it runs in.
        self._folder.chmod(0o755)
        spec = Spec(side.name, side.argv, env, folder, folder / "log", side.ready)
        self._managed[side.name] = Managed(spec, lambda *_, **__: None)
        self._managed[side.name].start()
        self._managed[side.name].await_ready()

    # -- while they run ---------------------------------------------------------------------------------

    def halt(self, name: str) -> None:
        """Makes a server stand still."""
        os.killpg(self._managed[name].pid, signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """Lets it run again."""
        os.killpg(self._managed[name].pid, signal.SIGCONT)

    def cpu_s(self, name: str) -> float:
        """CPU seconds that it has used so far."""
        used = psutil.Process(self._managed[name].pid).cpu_times()
        return float(used.user + used.system)

    def stored(self, name: str) -> int:
        """How many mails a sink of ours says are on its disk."""
        return int(http.get_json(f"http://{HOST}:{self.all[name].control}/counters", 10)["stored"])

    def forget(self, name: str) -> None:
        """Lets GreenMail drop its mails, which it keeps in memory."""
        url = f"http://{HOST}:{self.all[name].control}/api/mail/purge"
        http.request("POST", url, 30).raise_for_status()

    def stop(self) -> None:
        """Ends everything and removes the folder."""
        with shielded():
            for managed in self._managed.values():
                if managed.running:
                    os.killpg(managed.pid, signal.SIGCONT)
                managed.stop()
            self._ports.release()
            shutil.rmtree(self._folder, ignore_errors=True)
