"""A line says who speaks and of which job, in either form, and never holds a secret."""

import json
import logging
import threading

import pytest

from system import logs

JOB = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def lines(tmp_path, settings):
    """A logger of its own that writes through our form; gives the lines written so far."""
    handlers = []

    def make(**changes):
        file = tmp_path / "log"
        handler = logging.FileHandler(file)
        logs.dress(handler, settings(**changes), "worker")
        handlers.append(handler)
        logger = logging.Logger("system.test")
        logger.addHandler(handler)
        return logger, lambda: file.read_text().splitlines()

    yield make
    for handler in handlers:
        handler.close()


def test_json_lines_carry_time_role_and_job(lines):
    logger, read = lines(log_format="json")
    with logs.about(JOB):
        logger.warning("what %s", "happened")
    logger.info("afterwards")
    inside, after = map(json.loads, read())
    assert inside["message"] == "what happened"
    assert (inside["level"], inside["role"], inside["logger"]) == ("WARNING", "worker", "system.test")
    assert inside["job_id"] == JOB
    assert inside["time"].startswith("20")
    assert "job_id" not in after


def test_text_names_the_job_once(lines):
    logger, read = lines()
    with logs.about(JOB):
        logger.info("connected")
        logger.info("job %s: sent", JOB)
    assert [line.count(JOB) for line in read()] == [1, 1]
    assert read()[0].endswith(f"INFO worker: connected [job {JOB}]")


def test_jobs_handled_inside_each_other_and_side_by_side(lines):
    logger, read = lines(log_format="json")
    with logs.about("outer"):
        with logs.about("inner"):
            logger.info(".")
        other = threading.Thread(target=logger.info, args=("..",))
        other.start()
        other.join()
        logger.info("...")
    assert [json.loads(line).get("job_id") for line in read()] == ["inner", None, "outer"]


def test_celerys_own_lines_name_the_job_by_their_arguments(lines):
    logger, read = lines(log_format="json")
    for arguments in (f"('{JOB}',)", f"['{JOB}']", "()"):
        context = {"name": "mail.deliver", "args": arguments}
        logger.info("Task %(name)s received", context, extra={"data": context})
    assert [json.loads(line).get("job_id") for line in read()] == [JOB, JOB, None]
    assert "data" not in json.loads(read()[0])


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_blotted_out_of_words_and_tracebacks(lines, form):
    logger, read = lines(
        log_format=form, smtp_password='ge"heim', ledger_url="redis://:verborgen@h/0", api_key="abc"
    )
    try:
        raise ValueError('login with ge"heim failed')
    except ValueError:
        logger.exception("cannot reach redis://:verborgen@h/0, abc")
    text = "\n".join(read())
    assert "heim failed" not in text
    assert "verborgen" not in text
    assert "login with *** failed" in text
    # Too short to be a secret, and part of other words.
    assert "abc" in text


def test_configuring_twice_leaves_one_handler(settings, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(logging, "captureWarnings", lambda _: None)
    logs.configure(settings(), "api")
    logs.configure(settings(log_format="json"), "api")
    assert len(root.handlers) == 1
