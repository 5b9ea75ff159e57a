"""The page over all runs, `reports/runs/index.html`: what passed, what did not, and how p99 went.

Written after each run, and by `mailstorm index`. Reads each run's verdict.json and nothing else, never
judges, and never fails over a folder that it cannot read: it says so on the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from markupsafe import Markup

from reports.compare.render import REGRESS_HTML
from reports.plan import PLAN
from reports.render import REPORT_HTML, VERDICT_JSON, replace_file
from reports.render.html import MARKS, environment
from reports.render.sparkline import sparkline

INDEX_HTML = "index.html"
MAX_ROWS = 1_000  # the newest; older ones are counted
MAX_POINTS = 60  # of a sparkline
MAX_PROBLEMS = 50
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)")
_WORDS = frozenset(MARKS)


@dataclass(frozen=True, slots=True)
class Row:
    """One judged run; `link` is relative to the page, None: there is no report. Times in seconds."""

    scenario: str
    verdict: str
    reason: str
    when: str
    policy: str
    revision: str
    accepted: int
    lost: int
    duplicates: int
    p99_s: float | None
    link: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """The runs of one scenario, newest first."""

    name: str
    rows: Sequence[Row]

    @property
    def line(self) -> Markup:
        """The course of p99 over the runs, oldest first."""
        points = [(row.p99_s, row.verdict) for row in reversed(self.rows[:MAX_POINTS])]
        return Markup(sparkline(points))  # noqa: S704 -- our own drawing, numbers only


@dataclass(slots=True)
class Found:
    """What a walk over the folder came to: judged runs, and what could not be read, in words."""

    rows: list[Row] = field(default_factory=list)
    comparisons: list[tuple[str, str]] = field(default_factory=list)
    """Place and link of each page of a regression."""
    problems: list[str] = field(default_factory=list)


def write(runs_dir: Path) -> Path:
    """Write the page anew and return its path. Raises OSError when it cannot be written."""
    runs_dir.mkdir(parents=True, exist_ok=True)
    return replace_file(runs_dir / INDEX_HTML, as_html(collect(runs_dir)))


def collect(runs_dir: Path) -> Found:
    """Read every `<scenario>/<time>/verdict.json` below a folder, or `<scenario>/verdict.json` of a suite."""
    found = Found()
    for folder in _folders(runs_dir):
        place = folder.relative_to(runs_dir).as_posix()
        if (link := _link(runs_dir, folder / REGRESS_HTML)) is not None:
            found.comparisons.insert(0, (place, link))
            continue
        try:
            data = orjson.loads((folder / VERDICT_JSON).read_bytes())
            found.rows.append(_row(runs_dir, folder, data))
        except FileNotFoundError:
            why = "not judged: still running, or cut short" if (folder / PLAN).exists() else "no run"
            found.problems.append(f"{place}: {why}")
        except OSError as error:
            found.problems.append(f"{place}: cannot be read: {error.strerror or error}")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            found.problems.append(f"{place}: {VERDICT_JSON} is damaged or foreign: {error!r}"[:300])
    found.rows.sort(key=lambda row: (row.when, row.scenario), reverse=True)
    return found


def as_html(found: Found) -> str:
    """Return the page."""
    names = sorted({row.scenario for row in found.rows})
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            rows=found.rows[:MAX_ROWS],
            total=len(found.rows),
            groups=[Group(name, [row for row in found.rows if row.scenario == name]) for name in names],
            numbers={name: number for number, name in enumerate(names)},
            verdicts=list(MARKS),
            marks=MARKS,
            comparisons=found.comparisons[:MAX_ROWS],
            problems=found.problems[:MAX_PROBLEMS],
            more_problems=max(0, len(found.problems) - MAX_PROBLEMS),
        )
    )


def _folders(runs_dir: Path) -> Iterator[Path]:
    for scenario in _inner(runs_dir):
        if (scenario / PLAN).exists():
            yield scenario
        else:
            yield from _inner(scenario)


def _inner(folder: Path) -> list[Path]:
    """Return the folders in a folder, without hidden ones and links such as `latest`."""
    try:
        inner = [one for one in folder.iterdir() if one.is_dir() and not one.is_symlink()]
    except OSError:
        return []
    return sorted(one for one in inner if not one.name.startswith("."))


def _row(runs_dir: Path, folder: Path, data: dict[str, Any]) -> Row:
    counts = data["counts"]
    p99_s = data["latency_s"]["p99"]
    if data["verdict"] not in _WORDS:
        raise ValueError(f"verdict {data['verdict']!r}")
    return Row(
        scenario=str(data["scenario"]),
        verdict=data["verdict"],
        reason=str(data["reason"]),
        when=_when(data.get("began"), folder.name),
        policy=str(data.get("delivery", "")),
        revision=str(data.get("revision") or ""),
        accepted=int(counts["accepted"]),
        lost=int(counts["lost"]),
        duplicates=int(counts["duplicates"]),
        p99_s=None if p99_s is None else float(p99_s),
        link=_link(runs_dir, folder / REPORT_HTML),
    )


def _link(runs_dir: Path, page: Path) -> str | None:
    """Return the way to a run's page from the index; None: there is no such page."""
    return "/".join(map(quote, page.relative_to(runs_dir).parts)) if page.is_file() else None


def _when(began: object, name: str) -> str:
    """Say when a run began: what its verdict says (UTC), else what its folder is called."""
    if isinstance(began, str):
        return began.replace("T", " ").replace("Z", " UTC")
    found = _STAMP.search(name)
    return "{}-{}-{} {}:{}:{}".format(*found.groups()) if found else name
