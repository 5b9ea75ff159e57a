"""The schema of evidence: every line that a run leaves fits it, and a line that does not is found."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest

from loadtests.jobs import make
from loadtests.outcomes import Answer
from loadtests.submit import Settings, Submitter
from reports.evidence import DELIVERIES, EVENTS, FILES, LEDGER, METRICS, SUBMISSIONS, Appender, read

from .runs import Run, key

SCHEMA = json.loads(files("reports.render").joinpath("evidence.schema.json").read_text())
PARTS = {
    name: jsonschema.Draft202012Validator(
        {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{name.removesuffix('.jsonl')}"}
    )
    for name in FILES
}
CONTRACT = {
    SUBMISSIONS: "load_start due invoke ok fail info status load_stop",
    DELIVERIES: "sink_start sink_stop session_begin data_begin stored reply refused aborted session_end fault"
    " trimmed said plan phase",
    EVENTS: "phase process inject bite heal healed recovered not_recovered quiet not_quiet story load_exit"
    " harness_failed note",
    METRICS: "scrape broker",
    LEDGER: "job ledger_end",
}


def whole(folder, *names):
    for name in names or FILES:
        records = read(folder / name).records
        assert records
        for record in records:
            found = [error.message for error in PARTS[name].iter_errors(record)]
            assert not found, (name, record["event"], found)


def test_the_schema_is_a_schema_and_names_every_event_of_the_contract():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for name, words in CONTRACT.items():
        events = SCHEMA["$defs"][name.removesuffix(".jsonl")]["properties"]["event"]["enum"]
        assert sorted(events) == sorted(words.split())


def test_a_sound_run_fits(tmp_path):
    run = Run.sound(2)
    run.fault()
    run.kill(4)
    run.add(SUBMISSIONS, 3, "status", key=key(1), id="job-1", state="SUCCESS", asked_mono_ns=1)
    whole(run.write(tmp_path))


@pytest.mark.parametrize(
    ("name", "event", "change"),
    [
        (SUBMISSIONS, "due", {"due_mono_ns": "soon"}),
        (SUBMISSIONS, "ok", {"colour": "blue"}),
        (SUBMISSIONS, "ok", {"event": "okay"}),
        (DELIVERIES, "reply", {"flushed": None}),
        (DELIVERIES, "session_end", {"how": "somehow"}),
        (EVENTS, "story", {"told": "yes"}),
        (METRICS, "scrape", {"samples": {"a": "1"}}),
        (LEDGER, "job", {"trail": [{"event": "leased"}]}),
        (LEDGER, "job", {"seq": -1}),
    ],
)
def test_a_line_of_another_shape_is_found(tmp_path, name, event, change):
    records = read(Run.sound(1).write(tmp_path) / name).records
    record = next(one for one in records if one["event"] == event)
    assert PARTS[name].is_valid(record)
    assert not PARTS[name].is_valid({**record, **change})


def test_every_line_needs_its_frame(tmp_path):
    (record, *_) = read(Run.sound(1).write(tmp_path) / LEDGER).records
    for field in ("run", "writer", "seq", "wall_ns", "mono_ns", "pid", "event"):
        assert not PARTS[LEDGER].is_valid({name: value for name, value in record.items() if name != field})


def test_what_the_load_writes_fits(tmp_path):
    """The real submitter, against an API that refuses, does not answer, and accepts."""
    evidence = Appender(tmp_path / SUBMISSIONS, "r-1", "load")
    answers = [ConnectionResetError("reset"), Answer(503, b"{}"), Answer(202, b'{"id": "j1"}')]
    jobs = [make("r-1", 1, number) for number in range(2)]
    submitter = Submitter(
        lambda _: _raised(answers.pop(0)), evidence, lambda *_: None, lambda _: None, Settings()
    )
    for job in jobs:
        evidence.append_later("due", {"key": job.key, "due_mono_ns": 5, **job.record})
    submitter.submit(jobs[0], 5)
    answers.append(Answer(422, b"{}"))
    submitter.submit(jobs[1], 5)
    evidence.flush()
    evidence.close()
    whole(tmp_path, SUBMISSIONS)
    events = {record["event"] for record in read(tmp_path / SUBMISSIONS).records}
    assert events == {"due", "invoke", "ok", "info", "fail"}


def _raised(answer):
    if isinstance(answer, Exception):
        raise answer
    return answer
