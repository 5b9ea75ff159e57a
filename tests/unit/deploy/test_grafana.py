"""The dashboards: made by the script beside them, complete, and provisioned where compose puts them."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

GRAFANA = Path(__file__).resolve().parents[3] / "deploy" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
PROVISIONING = GRAFANA / "provisioning"


def provisioned(what: str) -> dict[str, Any]:
    [file] = (PROVISIONING / what).glob("*.yml")
    return yaml.safe_load(file.read_text())


def test_the_files_are_what_the_script_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(GRAFANA))
    monkeypatch.delitem(sys.modules, "boards", raising=False)
    made = runpy.run_path(str(GRAFANA / "make.py"))["files"]()
    assert set(made) == set(FILES), "run: python deploy/grafana/make.py"
    assert [path.name for path, text in made.items() if path.read_text() != text] == [], (
        "run: python deploy/grafana/make.py"
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dashboard_is_complete(file: Path) -> None:
    board = json.loads(file.read_text())
    [source] = provisioned("datasources")["datasources"]
    assert board["uid"] == file.stem
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 5
    for each in (*panels, *board["annotations"]["list"]):
        assert each["datasource"]["uid"] == source["uid"]
    for panel in panels:
        assert panel["title"]
        assert all(target["expr"] and target["legendFormat"] for target in panel["targets"])
    faults = board["annotations"]["list"][0]
    assert "chaos_fault_active" in faults["target"]["expr"] == faults["expr"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_panel_lies_on_another(file: Path) -> None:
    places = [panel["gridPos"] for panel in json.loads(file.read_text())["panels"]]
    cells = [
        (x, y)
        for at in places
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_no_secret_is_in_what_is_provisioned() -> None:
    [source] = provisioned("datasources")["datasources"]
    assert not {"secureJsonData", "basicAuth", "user", "password"} & set(source)


def test_titles_are_unique() -> None:
    boards = [json.loads(file.read_text()) for file in FILES]
    assert len({board["title"] for board in boards}) == len(boards) == 3
