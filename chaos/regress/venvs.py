"""An interpreter with the dependencies of another revision, kept for the next time.

Called by `regress` when requirements.lock differs. Builds into the project's .tools, never into the
environment that runs this.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from chaos.errors import HarnessError
from chaos.paths import TOOLS

BUILD_LIMIT_S = 900
BUILT = ".built"


def interpreter(lock: bytes, ours: bytes, say: Callable[[str], None], home: Path = TOOLS / "venvs") -> str:
    """The interpreter for this lock: ours when the locks agree, else one of a kept environment.

    Builds that when it is not there. Raises HarnessError when it cannot be built.
    """
    if pins(lock) == pins(ours):
        return sys.executable
    made_of = b"\n".join([*pins(lock), platform.python_version().encode()])
    folder = home / hashlib.sha256(made_of).hexdigest()[:16]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "build.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # two that start at once must not build over each other
        if not (folder / BUILT).exists():
            say("its requirements.lock differs: building an environment for it (once, a few minutes)")
            _build(folder, lock)
    return str(folder / "bin" / "python")


def pins(lock: bytes) -> list[bytes]:
    """What a lock installs; a comment (which package wants which) changes nothing."""
    return [line for line in lock.splitlines() if line.strip() and not line.lstrip().startswith(b"#")]


def _build(folder: Path, lock: bytes) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _step([sys.executable, "-m", "venv", str(folder)])
    (folder / "requirements.lock").write_bytes(lock)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
    try:
        _step([*pip, "--require-hashes", "-r", str(folder / "requirements.lock")])
    except HarnessError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / BUILT).touch()


def _step(argv: list[str]) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=BUILD_LIMIT_S, check=False)
        said = done.stderr.strip().splitlines()[-3:] if done.returncode else []
    except (OSError, subprocess.TimeoutExpired) as error:
        said = [str(error)]
    if said:
        raise HarnessError(
            f"the other revision's dependencies cannot be installed: {' '.join(said)} "
            "Compare with a revision that has the same requirements.lock, or mend what pip says."
        )
