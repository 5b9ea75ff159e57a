"""Options become checked values, from the command line or the environment."""

from argparse import Namespace
from pathlib import Path

import pytest
from configargparse import ArgumentParser

from loadtests import options
from loadtests.jobs import check_run_id
from reports.evidence import SUBMISSIONS, Appender


def parsed(*words):
    parser = ArgumentParser()
    options.add(parser)
    return parser.parse_args(list(words))


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("RATE", "ARRIVALS", "FOR_S", "SEED", "RUN_ID", "EVIDENCE", "STATUS_SHARE"):
        monkeypatch.delenv(f"MAILSTORM_{name}", raising=False)


def test_defaults():
    chosen = options.checked(parsed())
    assert str(chosen.schedule) == "constant at 10/s, seed 1"
    assert (chosen.for_s, chosen.run, chosen.evidence, chosen.status_share) == (0.0, None, None, 0.0)
    assert (chosen.resubmit_limit_s, chosen.timeout_s, chosen.stop_grace_s) == (60.0, 10.0, 30.0)


def test_environment_is_read_and_the_command_line_wins(monkeypatch):
    monkeypatch.setenv("MAILSTORM_RATE", "33")
    monkeypatch.setenv("MAILSTORM_RUN_ID", "from-env")
    chosen = options.checked(parsed("--run-id", "typed"))
    assert chosen.schedule.rate_per_s == 33
    assert chosen.run == "typed"


def test_values_changed_in_the_web_ui_arrive_as_text():
    values = Namespace(**{**vars(parsed()), "rate": "12.5", "for_s": "3", "seed": "9", "status_share": "0.5"})
    chosen = options.checked(values)
    assert str(chosen.schedule) == "constant at 12.5/s, seed 9"
    assert (chosen.for_s, chosen.status_share) == (3.0, 0.5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rate", "0"], "rate_per_s"),
        (["--arrivals", "steady"], "unknown arrivals"),
        (["--for-s", "-1"], "must last"),
        (["--run-id", "a b"], "run id"),
        (["--status-share", "2"], "--status-share"),
        (["--timeout-s", "0"], "--timeout-s"),
        (["--stop-grace-s", "nan"], "--stop-grace-s"),
        (["--resubmit-limit-s", "-1"], "--resubmit-limit-s"),
        (["--mix", "mail=1"], "--mix: no kind 'mail'"),
        (["--model", "half-open"], "--model: open or closed, not 'half-open'"),
        (["--think-s", "-1"], "--think-s"),
        (["--model", "closed", "--arrivals", "poisson"], "leave --arrivals out"),
        (["--arrivals", "replay:/nowhere"], "No such file"),
    ],
)
def test_wrong_values_are_refused_in_words(words, said):
    with pytest.raises(ValueError, match=said):
        options.checked(parsed(*words))


def test_the_classes_make_the_mix_unless_it_is_given():
    assert options.checked(parsed()).mix is None
    assert str(options.checked(parsed("--mix", "email=3,sleep=1")).mix) == "email=3,sleep=1"


def test_the_closed_model():
    chosen = options.checked(parsed("--model", "closed", "--think-s", "0.2", "--until-done", "1"))
    assert (chosen.model, chosen.think_s, chosen.until_done) == ("closed", 0.2, True)
    assert options.checked(parsed()).model == "open"


def test_a_replay_brings_its_kinds(tmp_path):
    appender = Appender(tmp_path / SUBMISSIONS, "r", "load")
    appender.append("load_start", seed=3)
    appender.append("due", key="r-000000", due_mono_ns=1, kind="add")
    appender.close()
    chosen = options.checked(parsed("--arrivals", f"replay:{tmp_path}"))
    assert chosen.mix.kind(3, 0) == "add"
    with pytest.raises(ValueError, match="leave --mix out"):
        options.checked(parsed("--arrivals", f"replay:{tmp_path}", "--mix", "email"))


def test_names_made_from_the_time():
    chosen = options.checked(parsed())
    assert check_run_id(chosen.run_id(1, now=0.0)).startswith("load-19")
    assert chosen.folder(1, now=0.0).parent == options.RUNS
    assert chosen.folder(1, now=0.0) != chosen.folder(2, now=0.0)


def test_a_second_run_of_one_process_never_shares_keys_or_files():
    chosen = options.checked(parsed("--run-id", "r", "--evidence", "/tmp/e"))
    assert [chosen.run_id(1), chosen.run_id(2)] == ["r", "r-2"]
    assert [chosen.folder(1), chosen.folder(2)] == [Path("/tmp/e"), Path("/tmp/e-2")]
