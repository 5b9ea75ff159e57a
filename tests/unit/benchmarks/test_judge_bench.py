"""The judge's benchmark on small runs: a fresh process each, and no figure for a verdict that is wrong."""

from __future__ import annotations

import json

import pytest

from benchmarks import judge_bench, synthetic
from benchmarks.judge_bench import BenchError, Row


def test_a_run_is_judged_in_its_own_process_and_deleted(tmp_path):
    row = judge_bench.measure(tmp_path / "run", 300)
    assert (row.jobs, row.size > 300_000, row.seconds > 0) == (300, True, True)
    assert 10 < row.peak_mb < 500
    assert not list(tmp_path.iterdir())


def test_another_verdict_than_the_one_written_is_no_result(tmp_path, monkeypatch):
    synthetic.write(tmp_path, 200)
    monkeypatch.setattr(synthetic, "ODD", 4)
    with pytest.raises(BenchError, match="not the one that was written"):
        judge_bench.judge(tmp_path)


def test_the_exponent_is_of_the_two_largest_sizes():
    rows = [Row(10, 1, 5.0, 5.0, 20.0), Row(100, 10, 1.0, 1.0, 100.0), Row(1000, 100, 10.0, 9.0, 900.4)]
    assert judge_bench.result(rows) == {"seconds_1m": 10.0, "peak_mb": 900, "exponent": 1.0}
    assert "| 1,000 | 0 | 10.0 | 9.0 | 10000 | 900 |" in judge_bench.table(rows)


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(judge_bench, "BYTES_PER_JOB", 10**12)
    assert judge_bench.main(["--dir", str(tmp_path)]) == 1
    assert "are needed there" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_last_line_is_json(monkeypatch, capsys):
    monkeypatch.setattr(judge_bench, "measure", lambda folder, jobs: Row(jobs, jobs, jobs / 1000, 1.0, 50.0))
    assert judge_bench.main([]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {
        "seconds_1m": 1000.0,
        "peak_mb": 50,
        "exponent": 1.0,
    }
