from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reports import rows
from reports.compare.stored import NotComparable
from reports.render import document, replace_file
from reports.verdict import judge
from tests.unit.reports.runs import Run


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    run = Run.sound()
    run.plan |= {"machine": {"cpu": "x"}, "revision": "abc"}
    folder = run.write(tmp_path / "run")
    replace_file(folder / "verdict.json", document.as_json(judge(folder)))
    return folder


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_says_what_the_run_was_and_time_comes_first(run_dir: Path, tmp_path: Path) -> None:
    path = rows.append(tmp_path, run_dir, cpu_ms=7.25)
    (row,) = read(path)
    assert path.name == "history.csv"
    assert next(iter(row)) == "time"
    assert row["time"].startswith("2023-11-14T22:")
    assert row["time"].endswith("Z")
    said = [row[name] for name in ("verdict", "revision", "accepted", "delivered", "lost", "cpu_ms_per_mail")]
    assert said == ["pass", "abc", "10", "10", "0", "7.25"]
    assert float(row["e2e_p50_s"]) == pytest.approx(0.5)
    assert row["accept_p99_s"]
    assert row["recovery_max_s"] == ""


def test_rows_only_grow_and_several_writers_tear_nothing(run_dir: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: rows.append(tmp_path, run_dir), range(24)))
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert len(lines) == 25
    assert lines[0] == ",".join(rows.COLUMNS)
    assert len(set(lines[1:])) == 1


def test_other_columns_begin_a_new_file_and_the_old_one_stays(run_dir: Path, tmp_path: Path) -> None:
    old = "time,what\n2020,x\n"
    (tmp_path / "history.csv").write_text(old)
    longer = ",".join((*rows.COLUMNS, "one_more"))
    (tmp_path / "history-2.csv").write_text(longer + "\n")
    assert rows.append(tmp_path, run_dir).name == "history-3.csv"
    assert rows.append(tmp_path, run_dir).name == "history-3.csv"
    assert (tmp_path / "history.csv").read_text() == old


def test_machines_of_one_kind_have_one_fingerprint() -> None:
    assert rows.fingerprint({"a": "1", "b": "2"}) == rows.fingerprint({"b": "2", "a": "1"})
    assert rows.fingerprint({"a": "1"}) != rows.fingerprint({"a": "2"})
    assert rows.fingerprint({}) == ""


def test_what_is_no_run_gives_no_row(tmp_path: Path) -> None:
    with pytest.raises(NotComparable):
        rows.append(tmp_path, tmp_path / "none")
    assert not (tmp_path / "history.csv").exists()
