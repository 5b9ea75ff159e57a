from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, cast

import pytest

from chaos import __main__ as cli
from chaos.commands import regressing
from chaos.errors import EXIT_USAGE
from reports.compare.model import Comparison
from reports.render import document, replace_file
from reports.verdict import judge
from tests.unit.reports.runs import Run


def test_the_flags_become_a_wish_and_a_command_that_repeats_it() -> None:
    args = cli.parser().parse_args(["regress", "--base", "main", "--rounds", "8", "--effect", "0.1"])
    wish = regressing.wish(args)
    assert (wish.base, wish.head, wish.shape.rounds, wish.limits.effect) == ("main", "worktree", 8, 0.1)
    again = regressing.wish(cli.parser().parse_args(list(wish.command[3:])))
    assert again == wish


@pytest.mark.parametrize(
    "words", [["--rounds", "2"], ["--effect", "0"], ["--effect", "5"], ["--alpha", "0.5"], ["--alpha", "0"]]
)
def test_senseless_wishes_start_nothing(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["regress", "--base", "HEAD", *words]) == EXIT_USAGE
    assert words[0] in capsys.readouterr().err


def test_an_unknown_revision_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["regress", "--base", "no-such-thing"]) == EXIT_USAGE
    assert "neither a revision" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("correctness", "performance", "any_regression", "only_correctness"),
    [
        ("pass", "pass", 0, 0),
        ("pass", "fail", 1, 0),
        ("pass", "unknown", 2, 0),
        ("fail", "pass", 1, 1),
        ("unknown", "pass", 2, 2),
    ],
)
def test_what_fails_is_chosen(
    correctness: str, performance: str, any_regression: int, only_correctness: int
) -> None:
    worst = "fail" if "fail" in (correctness, performance) else max(correctness, performance)
    found = cast("Comparison", argparse.Namespace(correctness=correctness, verdict=worst))
    assert regressing.exit_code(found, "regression") == any_regression
    assert regressing.exit_code(found, "correctness") == only_correctness


def stored(folder: Path, **plan: Any) -> Path:
    run = Run.sound()
    run.plan |= {"machine": {"cpu": "x"}} | plan
    run.write(folder)
    replace_file(folder / "verdict.json", document.as_json(judge(folder)))
    return folder


def test_compare_prints_a_table_and_writes_what_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, head = stored(tmp_path / "base"), stored(tmp_path / "head")
    files = ["--markdown", str(tmp_path / "c.md"), "--html", str(tmp_path / "c.html")]
    assert cli.main(["compare", str(base), str(head), *files]) == 0
    assert capsys.readouterr().out.startswith("PASS: ")
    assert (tmp_path / "c.md").read_text().startswith("## ✅")
    assert (tmp_path / "c.html").read_text().startswith("<!doctype html>")
    assert cli.main(["compare", str(base), str(head), "--json"]) == 0
    assert '"kind": "compare"' in capsys.readouterr().out


def test_compare_refuses_unlike_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, head = stored(tmp_path / "base"), stored(tmp_path / "head", broker="rabbitmq")
    assert cli.main(["compare", str(base), str(head)]) == EXIT_USAGE
    assert "broker: redis and rabbitmq" in capsys.readouterr().err
    assert cli.main(["compare", str(base), str(head), "--anyway"]) == 2


def test_compare_says_which_file_it_could_not_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = stored(tmp_path / "base")
    assert (
        cli.main(["compare", str(base), str(base), "--html", str(tmp_path / "no" / "c.html")]) == EXIT_USAGE
    )
    assert "c.html" in capsys.readouterr().err
