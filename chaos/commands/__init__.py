"""The commands, one file each: its flags and what it does, step by step. To add one, copy `judging`.

In the order in which `--help` shows them. Called by chaos/__main__.py, which turns errors into exit codes.
"""

from __future__ import annotations

from chaos.commands import comparing, indexing, judging, listing, regressing, running, serving, undoing, up

COMMANDS = (running, listing, judging, comparing, regressing, indexing, up, undoing, serving)
