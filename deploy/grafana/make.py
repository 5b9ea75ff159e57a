"""Writes the dashboards: `python deploy/grafana/make.py`. What is on them stands in boards.py.

A test holds the written files to this, so a dashboard is changed here and never in Grafana.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boards

DASHBOARDS = Path(__file__).with_name("dashboards")
SOURCE = {"type": "prometheus", "uid": "prometheus"}
WIDTH, HEIGHT = 24, 8
SCHEMA = 41

# Blue and orange are told apart by everybody; red is kept for what is wrong.
ANNOTATIONS = [
    {
        "name": "Faults",
        "expr": "chaos_fault_active == 1",
        "step": "1s",
        "titleFormat": "{{fault}}",
        "textFormat": "{{kind}}",
        "iconColor": "orange",
        "useValueForTime": False,
    },
    # A fault may be shorter than the time between two scrapes: this is when it was injected.
    {
        "name": "Injected",
        "expr": "chaos_fault_injected_timestamp_seconds * 1000",
        "step": "1s",
        "titleFormat": "{{fault}} injected",
        "textFormat": "{{kind}}",
        "iconColor": "dark-orange",
        "useValueForTime": True,
    },
    {
        "name": "Alerts",
        "expr": 'ALERTS{alertstate="firing", severity!="info"}',
        "step": "1s",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}}",
        "iconColor": "red",
        "useValueForTime": False,
    },
]


def dashboard(board: boards.Board) -> dict[str, Any]:
    """One dashboard as Grafana reads it."""
    panels, x, y, tallest = [], 0, 0, 0
    for number, panel in enumerate(board.panels, 1):
        if x + panel.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        height = HEIGHT if panel.kind == "timeseries" else HEIGHT // 2
        place = {"h": height, "w": panel.width, "x": x, "y": y}
        panels.append(_panel(panel) | {"id": number, "gridPos": place})
        x, tallest = x + panel.width, max(tallest, height)
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.about,
        "tags": ["mailstorm"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [_annotation(each) for each in ANNOTATIONS]},
        "links": [{"type": "dashboards", "title": "Mailstorm", "tags": ["mailstorm"], "keepTime": True}],
        "templating": {"list": []},
        "panels": panels,
    }


def _panel(panel: boards.Panel) -> dict[str, Any]:
    targets = [
        {
            "refId": chr(ord("A") + at),
            "datasource": SOURCE,
            "expr": expr,
            "legendFormat": legend,
            "range": True,
        }
        for at, (legend, expr) in enumerate(panel.queries.items())
    ]
    steps: list[dict[str, Any]] = [{"color": "blue", "value": None}]
    steps += [{"color": "red", "value": panel.red_from}] if panel.red_from is not None else []
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind == "timeseries":
        defaults |= {"min": 0, "color": {"mode": "palette-classic-by-name"}}
        defaults |= {"custom": {"lineWidth": 2, "fillOpacity": 8, "showPoints": "auto", "spanNulls": False}}
        options: dict[str, Any] = {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    else:
        defaults |= {"color": {"mode": "thresholds"}, "noValue": "no data"}
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "textMode": "auto"}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
    }


def _annotation(each: dict[str, Any]) -> dict[str, Any]:
    # Grafana reads the query from `target`; older ones from `expr` and `step`.
    target = {"refId": "Anno", "expr": each["expr"], "interval": each["step"]}
    return each | {"datasource": SOURCE, "enable": True, "target": target}


def files() -> dict[Path, str]:
    """Every file and what should be in it."""
    return {
        DASHBOARDS / f"{board.uid}.json": json.dumps(dashboard(board), indent=2) + "\n"
        for board in boards.ALL
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
