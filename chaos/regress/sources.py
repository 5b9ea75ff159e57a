"""The sources of one side: the `system` package of a revision, laid into a folder of its own.

Called by `regress` before anything is started. Only reads from git; refuses what it cannot find, in words.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import HarnessError, UsageError
from chaos.paths import PROJECT
from chaos.revision import git, revision
from chaos.stack.process import clean_environment

PACKAGE = "system"
LOCK = "requirements.lock"
LIMIT_S = 60


@dataclass(frozen=True)
class Source:
    """Where one side comes from: a commit, or (empty) the files of a folder as they are."""

    commit: str
    words: str
    folder: Path = PROJECT

    @property
    def revision(self) -> str:
        """The revision, as a plan names it."""
        return self.commit[:12] if self.commit else revision(self.folder)

    def lock(self) -> bytes:
        """The lock of its dependencies. Raises UsageError when the revision has none."""
        if not self.commit:
            return (self.folder / LOCK).read_bytes()
        return _git("show", f"{self.commit}:{LOCK}")

    def lay(self, into: Path) -> None:
        """Put the package below `into`. Raises UsageError when the revision has none."""
        into.mkdir(parents=True)
        if not self.commit:
            ignored = shutil.ignore_patterns("__pycache__", "*.orig")
            shutil.copytree(self.folder / PACKAGE, into / PACKAGE, ignore=ignored)
            return
        with tarfile.open(fileobj=io.BytesIO(_git("archive", self.commit, PACKAGE))) as packed:
            packed.extractall(into, filter="data")


def find(word: str) -> Source:
    """The source that a person named: a revision, a folder with a `system` package, or `worktree`.

    Raises UsageError for anything else.
    """
    if word == "worktree":
        return Source("", "the files of this checkout")
    if commit := git(PROJECT, "rev-parse", "--verify", "--quiet", f"{word}^{{commit}}"):
        return Source(commit, f"{word} ({commit[:12]})")
    folder = Path(word).expanduser()
    if (folder / PACKAGE / "__init__.py").is_file() and (folder / LOCK).is_file():
        return Source("", f"the files in {folder.name}", folder.resolve())
    raise UsageError(
        f"{word}: neither a revision that git knows here nor a folder with `{PACKAGE}` and {LOCK}. "
        "In CI, fetch the whole history (`fetch-depth: 0`)."
    )


def verified(root: Path, python: str, cwd: Path) -> str:
    """The file that `import system` takes with these settings. Raises HarnessError when that is another's."""
    done = subprocess.run(
        [python, "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)"],
        env=clean_environment() | {"PYTHONPATH": str(root)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    found = done.stdout.strip()
    if done.returncode or not Path(found).is_relative_to(root):
        said = found or done.stderr.strip().splitlines()[-1:] or "nothing"
        raise HarnessError(f"`import {PACKAGE}` takes {said} instead of what is in {root}")
    return found


def _git(*words: str) -> bytes:
    done = subprocess.run(
        ["git", "-C", str(PROJECT), *words], capture_output=True, timeout=LIMIT_S, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise UsageError(f"git {' '.join(words)}: {said}")
    return done.stdout
