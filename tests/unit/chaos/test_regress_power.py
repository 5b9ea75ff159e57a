from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks import regress_power as power
from chaos.errors import HarnessError
from chaos.regress import sources


def test_the_tries_are_mixed_and_half_of_the_slow_ones_are_of_each_kind() -> None:
    tries = power.tries(20, 10)
    assert Counter(one.kind for one in tries) == {"same": 20, "burn": 5, "sleep": 5}
    assert len({one.name for one in tries}) == 30
    assert [one.kind for one in tries[:6]] == ["same", "same", "burn", "same", "same", "sleep"]
    assert [one.kind for one in power.tries(1, 2)].count("same") == 1
    assert len(power.tries(3, 0)) == 3


@pytest.mark.parametrize("kind", power.KINDS)
def test_a_slow_copy_still_is_python_and_is_slow_in_one_place(kind: str, tmp_path: Path) -> None:
    sources.find("worktree").lay(tmp_path / "tree")
    power.patch(tmp_path / "tree", kind, 0.001)
    text = (tmp_path / "tree" / power.PLACE).read_text()
    compile(text, "mailer.py", "exec")
    assert text.count("0.001") == 1


def test_a_place_that_is_gone_is_no_silent_success(tmp_path: Path) -> None:
    path = tmp_path / power.PLACE
    path.parent.mkdir(parents=True)
    path.write_text("nothing of the kind\n")
    with pytest.raises(HarnessError, match="no longer has the one line"):
        power.patch(tmp_path, "burn", 0.001)


def test_ten_percent_of_what() -> None:
    results: dict[str, Any] = {"calibration": {"base": {"cpu_ms": 8.0, "bursts_ms": 6.0}}}
    assert power.seconds(results, "burn") == pytest.approx(0.0008)
    assert power.seconds(results, "sleep") == pytest.approx(0.0006)


def test_totals_count_alarms_and_finds_and_never_an_unknown_as_either() -> None:
    results: dict[str, Any] = {"revision": "abc", "calibration": {"performance": "fail"}}
    results |= {f"same-{n}": {"performance": "pass"} for n in range(18)}
    results |= {"same-18": {"performance": "fail"}, "same-19": {"performance": "unknown"}}
    results |= {"burn-1": {"performance": "fail"}, "sleep-1": {"performance": "unknown"}}
    found = power.totals(results)
    assert (found["same"], found["false_alarms"], found["same_unknown"]) == (20, 1, 1)
    assert (found["slow"], found["found"], found["found_burn"], found["found_sleep"]) == (2, 1, 1, 0)


def test_what_so_few_alarms_still_allow() -> None:
    assert power.at_most(0, 20) == pytest.approx(1 - 0.05 ** (1 / 20), abs=0.001)
    assert power.at_most(1, 20) == pytest.approx(0.216, abs=0.001)
    assert power.at_most(0, 0) is None


def test_it_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[str] = []
    metrics = {"cpu_ms": {"change": 0.0, "p": 1.0}}

    def one(wanted: power.Try, *_: object) -> dict[str, Any]:
        if len(played) == 2:
            raise KeyboardInterrupt
        played.append(wanted.name)
        return {"performance": "pass", "metrics": metrics, "took_s": 1.0}

    monkeypatch.setattr(power, "_one", one)
    monkeypatch.setattr(power.sources, "find", lambda _: sources.Source("a" * 40, "x"))
    store = tmp_path / "results.json"
    with pytest.raises(KeyboardInterrupt):
        power.run(power.tries(2, 1), store, "HEAD")
    assert played == ["calibration-0", "same-1"]
    played.clear()
    monkeypatch.setattr(power, "_one", lambda *_: {"performance": "pass", "metrics": metrics, "took_s": 1.0})
    assert power.totals(power.run(power.tries(2, 1), store, "HEAD"))["same"] == 2
    monkeypatch.setattr(power.sources, "find", lambda _: sources.Source("b" * 40, "x"))
    with pytest.raises(HarnessError, match="move it away first"):
        power.run(power.tries(2, 1), store, "HEAD")
