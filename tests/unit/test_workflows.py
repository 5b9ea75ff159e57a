"""The workflows keep their rules: pinned actions, least rights, no input in a script, commands that exist."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from chaos.__main__ import parser

ROOT = Path(__file__).resolve().parents[2]
FILES = {path.stem: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def jobs(path):
    return yaml.safe_load(path.read_text())["jobs"]


def scripts(path):
    return [step["run"] for job in jobs(path).values() for step in job["steps"] if "run" in step]


def test_there_are_workflows_for_tests_the_suite_and_regressions():
    assert set(FILES) == {"chaos", "regression", "regression-comment", "tests"}


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
class TestEach:
    def test_actions_are_pinned_to_a_commit_and_say_its_version(self, path):
        used = [line.strip().lstrip("- ") for line in path.read_text().splitlines() if "uses:" in line]
        assert [line for line in used if not PINNED.fullmatch(line)] == []

    def test_nothing_may_be_written_unless_a_job_says_so(self, path):
        assert yaml.safe_load(path.read_text())["permissions"] in ({}, {"contents": "read"})

    def test_every_job_ends_by_itself(self, path):
        assert all(job["timeout-minutes"] <= 30 for job in jobs(path).values())

    def test_no_expression_becomes_the_text_of_a_script(self, path):
        assert [script for script in scripts(path) if "${{" in script] == []

    def test_the_commands_exist(self, path):
        for line in "\n".join(scripts(path)).splitlines():
            if line.strip().startswith(".venv/bin/mailstorm "):
                words = shlex.split(line.replace('"$BROKER"', "redis").replace('"$DELIVERY"', "ledger"))[1:]
                parser().parse_args([word.replace("$SEED", "7") for word in words])


def test_code_of_a_pull_request_never_runs_with_a_token_that_may_write():
    regression = yaml.safe_load(FILES["regression"].read_text())
    assert regression["permissions"] == {"contents": "read"}
    comment = FILES["regression-comment"].read_text()
    assert "actions/checkout" not in comment
    assert "make " not in comment
