"""The Prometheus configuration and its rules, held to what promtool says of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import need

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy" / "prometheus"
RULES = sorted((DEPLOY / "rules").glob("*.yml"))
TESTS = sorted((DEPLOY / "tests").glob("*.yml"))


def promtool(*words: object) -> str:
    need(shutil.which("promtool"), "promtool")
    done = subprocess.run(
        ["promtool", *map(str, words)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules(kind: str) -> dict[str, dict]:
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule[kind]: rule for group in groups for rule in group["rules"] if kind in rule}


def test_promtool_accepts_configuration_and_rules() -> None:
    said = promtool("check", "config", DEPLOY / "prometheus.yml")
    assert f"{len(RULES)} rule files found" in said, "the rules are not read"


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_rules_say_what_their_tests_expect(file: Path) -> None:
    promtool("test", "rules", file)


def test_every_alert_is_tested_firing_and_silent() -> None:
    tests = yaml.safe_load((DEPLOY / "tests" / "alerts.test.yml").read_text())["tests"]
    asked = [case for test in tests for case in test.get("alert_rule_test", [])]
    fires = {case["alertname"] for case in asked if case.get("exp_alerts")}
    silent = {case["alertname"] for case in asked if not case.get("exp_alerts")}
    assert fires == silent == set(rules("alert"))


def test_every_recording_rule_is_tested() -> None:
    text = (DEPLOY / "tests" / "recording.test.yml").read_text()
    assert {name for name in rules("record") if name not in text} == set()


def test_every_alert_is_explained() -> None:
    """In the table there, so that whoever is woken by it finds what to do."""
    text = (ROOT / "docs" / "observability.md").read_text()
    told = dict(re.findall(r"^\| `([A-Za-z]+)` \| (critical|warning|info) \|", text, re.MULTILINE))
    assert told == {name: rule["labels"]["severity"] for name, rule in rules("alert").items()}
