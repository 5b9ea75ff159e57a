"""Rows from end to end in Locust's own statistics, CSV and HTML, with a real sink."""

import csv
from pathlib import Path

import pytest
from load_delivery import Delivery

from tests.integration.fake_smtp.conftest import Sink

DUE, ACCEPTED, DONE = "due -> stored", "202 -> stored", "status done -> stored"


@pytest.fixture
def system(sink):
    made = []

    def make(**how):
        made.append(Delivery(sink, **how))
        return made[-1]

    yield make
    for each in made:
        each.close()


def control(sink):
    return f"http://127.0.0.1:{sink.control_port}"


def rows(prefix: Path, what: str = "stats") -> dict[str, dict[str, str]]:
    """Locust's CSV of the rows from end to end, by name."""
    with Path(f"{prefix}_{what}.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    return {row["Name"]: row for row in found if row.get("Type", row.get("Method")) == "E2E"}


def counts(prefix: Path) -> dict[str, tuple[int, int]]:
    return {
        name: (int(row["Request Count"]), int(row["Failure Count"])) for name, row in rows(prefix).items()
    }


def test_every_step_of_every_job_is_a_row(system, sink, load, tmp_path):
    api = system(copies=lambda key: 2 if key.endswith("07") else 1)
    prefix = tmp_path / "stats" / "load"
    prefix.parent.mkdir()
    run = load(
        target=api.url,
        for_s=2.0,
        rate_per_s=30.0,
        status_share=1.0,
        sink=control(sink),
        stats=prefix,
        late_limit_s=20.0,
        mix="email=1,add=1",
    )
    # A duplicate is a failed row, and no reason for the exit code: that says whether the load was offered.
    assert run.process.wait(60) == 0
    told = counts(prefix)
    notices = len([due for due in run.records("due") if due.get("mail_key")])
    assert 10 < notices < 50
    assert told[DUE] == told[ACCEPTED] == (60 - notices, 0)
    assert told[f"{DUE} (notify)"] == told[f"{ACCEPTED} (notify)"] == (notices, 0)
    again = {name: each for name, each in told.items() if name.startswith("stored again")}
    assert sum(count for count, _ in again.values()) == sum(failed for _, failed in again.values()) == 1
    assert told[DONE][0] > 10
    assert told[DONE][1] == 0
    assert told["queue wait"][0] >= told[DONE][0]
    assert float(rows(prefix)["queue wait"]["Median Response Time"]) == pytest.approx(250, abs=10)
    assert 0 < float(rows(prefix)[DUE]["Median Response Time"]) < 2000
    (failure,) = rows(prefix, "failures").values()
    assert "duplicate" in failure["Error"]
    report = prefix.with_suffix(".html").read_text().replace("\\u003e", ">")
    assert all(name in report for name in (DUE, ACCEPTED, DONE, "stored again", "queue wait"))


def test_stopped_by_a_signal_it_waits_and_then_counts_what_is_missing(system, sink, load, tmp_path):
    api = system(later=True)
    prefix = tmp_path / "load"
    run = load(
        target=api.url,
        for_s=0.0,
        rate_per_s=20.0,
        sink=control(sink),
        settle_s=0.5,
        stats=prefix,
        late_limit_s=20.0,
    )
    run.until(lambda: len(run.records("ok")) >= 20)
    assert run.stop() == 0
    missing = len(run.records("ok"))
    assert counts(prefix) == {DUE: (missing, missing)}
    (failure,) = rows(prefix, "failures").values()
    assert "not stored" in failure["Error"]
    assert f"{missing} accepted mails were not stored" in run.log.read_text()
    assert "not stored" in Path(f"{prefix}.html").read_text()


def test_what_comes_while_it_waits_is_counted_and_a_status_that_came_first_has_lied(
    system, sink, load, tmp_path
):
    api = system(later=True)
    prefix = tmp_path / "load"
    run = load(target=api.url, for_s=1.0, rate_per_s=20.0, sink=control(sink), stats=prefix, status_share=1.0)
    run.until(lambda: run.records("load_stop"))
    early = {record["key"] for record in run.records("status")}
    api.release()
    assert run.process.wait(60) == 0
    assert early
    told = counts(prefix)
    assert told[DUE] == told[ACCEPTED] == (20, 0)
    assert told[DONE] == (len(early), len(early))
    assert "before the mail was stored" in rows(prefix, "failures")[DONE]["Error"]


def test_a_sink_that_is_started_again_makes_no_row_wrong(system, sink, load, tmp_path):
    api = system()
    prefix = tmp_path / "load"
    spec = {"for_s": 2.0, "rate_per_s": 20.0, "settle_s": 30.0, "late_limit_s": 20.0}
    run = load(target=api.url, sink=control(sink), stats=prefix, **spec)
    sink.until("stored", 5)
    api.hold()
    assert sink.stop()[0] == 0
    run.until(lambda: "does not say what it has stored" in run.log.read_text())
    again = Sink(sink.out, "--control-port", str(sink.control_port))
    try:
        api.use(again)
        api.release()
        assert run.process.wait(60) == 0
    finally:
        api.close()
        again.stop()
    assert counts(prefix) == {DUE: (40, 0), ACCEPTED: (40, 0)}
    assert "the sink says again" in run.log.read_text()
