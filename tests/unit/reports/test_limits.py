"""Thresholds: what can be written, what is refused with words, and the three outcomes of each."""

from __future__ import annotations

import pytest

from reports import limits
from reports.evidence import DELIVERIES, EVENTS, LEDGER
from reports.verdict import judge

from . import bad
from .runs import Run, key


def outcome(run, folder, *texts):
    run.plan["limits"] = list(texts)
    (check,) = (check for check in judge(run.write(folder)).checks if check.name == "limits")
    return check


@pytest.mark.parametrize(
    ("text", "metric", "statistic", "share", "sign", "bound"),
    [
        ("e2e_seconds:p(99)<5", "e2e_seconds", "p(99)", 0.99, "<", 5),
        (" accept_seconds : p(99.9) <= 0.25 ", "accept_seconds", "p(99.9)", 0.999, "<=", 0.25),
        ("duplicates:count==0", "duplicates", "count", None, "==", 0),
        ("delivered:rate>=49.5", "delivered", "rate", None, ">=", 49.5),
        ("recovery_seconds:max<1e1", "recovery_seconds", "max", None, "<", 10),
        ("late_seconds:value!=3", "late_seconds", "value", None, "!=", 3),
    ],
)
def test_what_can_be_written(text, metric, statistic, share, sign, bound):
    found = limits.parse(text)
    assert (found.metric, found.statistic, found.share) == (metric, statistic, pytest.approx(share))
    assert (found.operator, found.bound, found.text) == (sign, bound, text.strip())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "write METRIC:STATISTIC OPERATOR NUMBER"),
        ("e2e_seconds<5", "for example e2e_seconds:p(99)<5"),
        ("http_req_duration:p(95)<200", "there are accept_seconds, accepted,"),
        ("e2e_seconds:count<5", "e2e_seconds has avg min med max p(N), and no count"),
        ("duplicates:rate<0.1", "duplicates has count, and no rate"),
        ("e2e_seconds:p(0)<5", "N over 0 and at most 100"),
        ("e2e_seconds:p(x)<5", "N over 0 and at most 100"),
        ("e2e_seconds:p(101)<5", "N over 0 and at most 100"),
        ("e2e_seconds:p(99)<5s", "without a unit"),
        ("e2e_seconds:p(99)<nan", "no number"),
        ("e2e_seconds:p(99)=5", "write METRIC"),
        ("lost:count==0; true", "write METRIC"),
    ],
)
def test_what_is_refused_says_what_to_write(text, words):
    with pytest.raises(limits.LimitError) as refused:
        limits.parse(text)
    assert words in str(refused.value)


def test_a_file_has_one_limit_a_line(tmp_path):
    file = tmp_path / "limits.txt"
    file.write_text("# what we promise\n\ne2e_seconds:p(99)<5  # seconds\n  lost:count==0\n")
    assert limits.read(file) == ["e2e_seconds:p(99)<5", "lost:count==0"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"lost:count==0\nlost<1\n", ":2: 'lost<1'"),
        (b"# none\n", "no limit in it"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path, content, words):
    file = tmp_path / "limits.txt"
    file.write_bytes(content)
    with pytest.raises(limits.LimitError) as refused:
        limits.read(file)
    assert str(file) in str(refused.value)
    assert words in str(refused.value)


def test_a_missing_file_is_an_error_in_words(tmp_path):
    with pytest.raises(limits.LimitError, match="cannot be read: No such file"):
        limits.read(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("e2e_seconds:p(99)<0.6", 0.5),
        ("e2e_seconds:avg<=0.5", 0.5),
        ("e2e_seconds:min>0.4", 0.5),
        ("e2e_seconds:med==0.5", 0.5),
        ("accept_seconds:max<0.03", 0.02),
        ("recovery_seconds:max<4", 3.5),
        ("delivered:count==10", 10),
        ("delivered:rate>1", 10 / 9.5),
        ("due:rate>1", 10 / 9),
        ("lost:count==0", 0),
        ("late_seconds:value<1", 0.01),
        ("drain_seconds:value<=4", 4),
    ],
)
def test_a_limit_is_kept_or_broken_by_the_figure(tmp_path, text, value):
    run = Run.sound()
    run.fault()
    kept = outcome(run, tmp_path / "a", text)
    assert kept.verdict == "pass", kept.summary
    assert kept.details["limits"][0]["value"] == pytest.approx(value, abs=1e-6)
    name, _, rest = text.partition(":")
    statistic = rest.rstrip("0123456789.<>=!")
    broken = outcome(run, tmp_path / "b", f"{name}:{statistic}>1000", text)
    assert (broken.verdict, broken.count) == ("fail", 1)
    assert "1 of 2 limits broken" in broken.summary
    assert [row["verdict"] for row in broken.details["limits"]] == ["fail", "pass"]


def test_no_limits_is_a_pass_that_says_so(tmp_path):
    check = outcome(Run.sound(), tmp_path)
    assert (check.verdict, check.summary) == ("pass", "no limits are set")


def test_a_figure_that_is_not_on_record_decides_nothing(tmp_path):
    run = Run.sound()
    run.drop(EVENTS, "quiet")
    check = outcome(run, tmp_path, "recovery_seconds:max<9", "drain_seconds:value<9", "lost:count==0")
    assert check.verdict == "unknown"
    assert [row["verdict"] for row in check.details["limits"]] == ["unknown", "unknown", "pass"]
    assert "no figure" in check.summary


def test_a_mail_that_never_came_is_no_reason_to_keep_a_limit(tmp_path):
    run = Run.sound()
    bad.lost_while_quiet(run)
    check = outcome(
        run, tmp_path, "e2e_seconds:max<1", "e2e_seconds:p(50)<1", "e2e_seconds:min>9", "lost:count==1"
    )
    assert [row["verdict"] for row in check.details["limits"]] == ["unknown", "pass", "fail", "pass"]
    assert "1 accepted mail never arrived" in check.details["limits"][0]["why"]


def test_what_may_still_be_lost_is_not_not_lost(tmp_path):
    run = Run.sound()
    run.never_stored(3)
    run.find(LEDGER, "job", key=key(3)).update(state="STARTED", trail=[])
    run.drop(EVENTS, "quiet")
    run.add(EVENTS, 30, "not_quiet", after_s=1, detail="queued 1", seen=True)
    assert outcome(run, tmp_path, "lost:count==0").verdict == "unknown"


def test_damaged_evidence_decides_no_limit(tmp_path):
    run = Run.sound()
    run.drop(DELIVERIES, "sink_stop")
    assert outcome(run, tmp_path, "lost:count==0", "e2e_seconds:p(99)>99").verdict == "unknown"


def test_a_plan_with_nonsense_in_it_is_unknown(tmp_path):
    check = outcome(Run.sound(), tmp_path, "speed:max<9")
    assert check.verdict == "unknown"
    assert "there is no metric 'speed'" in check.summary
