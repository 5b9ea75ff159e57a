"""Which revision of the sources is tested, for plans and comparisons.

Asks git; never changes anything. Sources without git (an installed wheel) have no revision.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from chaos.paths import PROJECT

LIMIT_S = 10


def revision(project: Path = PROJECT) -> str:
    """The commit's hash, with `+changes` behind it when files differ from it; empty without git."""
    commit = git(project, "rev-parse", "HEAD")
    changed = commit and git(project, "status", "--porcelain", "--untracked-files=no")
    return commit[:12] + ("+changes" if changed else "")


def git(project: Path, *words: str) -> str:
    """What a git command says; empty when it fails or there is no git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *words], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
