"""The systemd units: systemd itself accepts them, they restart, lock themselves in, and end politely."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from system.settings import Settings

ROOT = Path(__file__).parents[3]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
NAMES = [unit.name for unit in UNITS]


def section(unit):
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string(unit.read_text())
    return parser["Service"]


def test_there_is_one_for_each_process():
    assert [name[len("mailstorm-") : -len(".service")] for name in NAMES] == [
        "api",
        "beat",
        "relay",
        "worker@",
    ]


def test_systemd_accepts_them(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is missing")
    for unit in UNITS:
        # Only the programs are looked for; here they are where this Python is.
        text = unit.read_text().replace("/opt/mailstorm/.venv", sys.prefix)
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in NAMES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=NAMES)
def test_each_restarts_and_is_locked_in(unit):
    service = section(unit)
    assert service["Restart"] == "always"
    assert service["EnvironmentFile"] == "/etc/mailstorm/env"
    assert service["User"] == "mailstorm"
    assert service["NoNewPrivileges"] == service["PrivateTmp"] == "true"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    # Only the main process hears SIGTERM, and has time to let go of what it holds.
    assert service["KillMode"] == "mixed"


def test_a_worker_may_finish_what_it_has_in_hand():
    service = section(ROOT / "deploy" / "systemd" / "mailstorm-worker@.service")
    assert float(service["TimeoutStopSec"]) > Settings.model_fields["lease_s"].default


@pytest.mark.parametrize("unit", UNITS, ids=NAMES)
def test_no_setting_is_hidden_in_a_unit(unit):
    """What a deployment may change stands in the environment file; here are folders only."""
    assert set(re.findall(r"^Environment=([A-Z_]+)=", unit.read_text(), re.MULTILINE)) <= {
        "PROMETHEUS_MULTIPROC_DIR"
    }


def test_the_operators_page_names_settings_that_exist():
    text = (ROOT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)\b", text)) - {"FLOWER_UNAUTHENTICATED_API"}
    assert len(named) > 10
    assert named <= {name.upper() for name in Settings.model_fields}
