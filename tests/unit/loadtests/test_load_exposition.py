"""The load's page for Prometheus: what nobody can know is left out."""

from types import SimpleNamespace

from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from loadtests import exposition
from loadtests.figures import together

FIGURES = {
    "due": 9.0, "sent": 8.0, "accepted": 6.0, "refused": 1.0, "unknown": 1.0, "delivered": 4.0,
    "duplicates": 1.0, "waiting": 2.0, "processes": 1.0, "blind": 0.0,
    "oldest_waiting_s": 1.5, "max_late_s": 0.25,
}  # fmt: skip


def page(figures, users=3):
    app = Flask(__name__)
    runner = SimpleNamespace(user_count=users)
    exposition.mount(SimpleNamespace(web_ui=SimpleNamespace(app=app), runner=runner), lambda: figures)
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    return {
        ",".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_every_figure_of_the_session_is_told():
    assert page(FIGURES) == {
        "load_jobs_total,due": 9,
        "load_jobs_total,sent": 8,
        "load_jobs_total,accepted": 6,
        "load_jobs_total,delivered": 4,
        "load_jobs_total,duplicates": 1,
        "load_refused": 1,
        "load_unknown": 1,
        "load_users": 3,
        "load_max_late_seconds": 0.25,
        "load_waiting": 2,
        "load_oldest_waiting_seconds": 1.5,
    }


def test_where_nobody_tells_what_is_stored_nothing_is_said_of_it():
    unseen = set(page(FIGURES)) - set(page(FIGURES | {"blind": 1.0}))
    told = {"load_jobs_total,delivered", "load_jobs_total,duplicates", "load_waiting"}
    assert unseen == told | {"load_oldest_waiting_seconds"}


def test_before_the_first_run_there_is_nothing_to_tell_of_deliveries():
    found = page(together([]), users=0)
    assert found["load_jobs_total,due"] == 0
    assert "load_jobs_total,delivered" not in found


def test_a_headless_load_has_no_page():
    exposition.mount(SimpleNamespace(web_ui=None), lambda: FIGURES)
