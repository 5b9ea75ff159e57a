"""The routes of the tutorial systems: every answer in every state, over a real ledger."""

import pytest

from tests.integration.system.served import is_problem, served
from tests.integration.system.world import accept

NAME, DURATION, SUM = {"name": "User"}, {"duration": 10}, {"a": 5, "b": 3}
SUBMITS = [("/start-job", NAME, "job_id"), ("/start-task", DURATION, "task_id"), ("/add", SUM, "task_id")]
LOOKS = ["/job-status/{}", "/result/{}", "/check_status/{}", "/check_status_redirect?task_id={}"]
PROCESSING = "Job is still processing..."


@pytest.fixture
def serve(settings):
    with served(settings) as make:
        yield make


@pytest.fixture
def api(serve):
    return serve()


def lease(ledger, job):
    return ledger.lease(job, "owner", "w", "hint").fence


def to_started(ledger, job):
    lease(ledger, job)


def to_retry(ledger, job):
    ledger.retry(job, lease(ledger, job), "not now", "w")


def to_success(ledger, job):
    ledger.done(job, lease(ledger, job), 8, "w")


def to_failure(ledger, job):
    ledger.fail(job, lease(ledger, job), "Simulated task failure", "w")


def to_revoked(ledger, job):
    ledger.cancel(job)


STATES = {
    "PENDING": (lambda ledger, job: None, None),
    "STARTED": (to_started, None),
    "RETRY": (to_retry, None),
    "SUCCESS": (to_success, 8),
    "FAILURE": (to_failure, "Simulated task failure"),
    "REVOKED": (to_revoked, "cancelled before anything was done"),
}


@pytest.fixture(params=STATES)
def standing(request, ledger):
    """A state, a function that brings a job there, and the outcome that it then has."""
    bring, outcome = STATES[request.param]
    return request.param, lambda job: bring(ledger, job), outcome


def start(api, path, body):
    answer = api.post(path, json=body)
    assert answer.status_code == 202
    return answer.json.get("job_id") or answer.json["task_id"]


def test_start_job(api):
    answer = api.post("/start-job", json=NAME)
    assert answer.status_code == 202
    assert answer.json == {"job_id": answer.json["job_id"], "status": "PENDING"}
    shown = api.get(f"/jobs/{answer.json['job_id']}").json
    assert (shown["kind"], shown["payload"]) == ("greet", NAME)


def test_start_task(api):
    answer = api.post("/start-task", json=DURATION)
    assert answer.status_code == 202
    words = "Job received. Processing in background."
    assert answer.json == {"message": words, "task_id": answer.json["task_id"]}
    shown = api.get(f"/jobs/{answer.json['task_id']}").json
    assert (shown["kind"], shown["payload"]) == ("sleep", DURATION)


def test_add(api):
    answer = api.post("/add", json=SUM)
    assert answer.status_code == 202
    assert answer.json == {"task_id": answer.json["task_id"]}
    shown = api.get(f"/jobs/{answer.json['task_id']}").json
    assert (shown["kind"], shown["payload"]) == ("add", SUM)


def test_job_status(api, standing):
    state, bring, outcome = standing
    job = start(api, "/start-job", NAME)
    bring(job)
    more = {"SUCCESS": {"result": outcome}, "FAILURE": {"error": outcome}}.get(state, {})
    assert api.get(f"/job-status/{job}").json == {"job_id": job, "state": state, **more}


def test_result_of_a_sleep_job(api, standing):
    state, bring, outcome = standing
    job = start(api, "/start-task", DURATION)
    bring(job)
    shown = api.get(f"/result/{job}").json
    if outcome is None:
        assert shown == {"state": "PENDING", "status": PROCESSING}
    else:
        assert shown == {"state": state, "result": outcome}


def test_result_of_an_add_job(api, standing):
    state, bring, outcome = standing
    job = start(api, "/add", SUM)
    bring(job)
    assert api.get(f"/result/{job}").json == {"status": state if outcome else "PENDING", "result": outcome}


def test_result_of_a_mail(api, redis_server, settings):
    job = accept(redis_server.client, settings()).job_id
    assert api.get(f"/result/{job}").json == {"state": "PENDING", "status": PROCESSING}


def test_check_status_and_its_redirect(api, standing):
    state, bring, outcome = standing
    job = start(api, "/add", SUM)
    bring(job)
    wanted = {"task_id": job, "state": state, "result": outcome}
    assert api.get(f"/check_status/{job}").json == wanted
    redirect = api.get(f"/check_status_redirect?task_id={job}")
    assert (redirect.status_code, redirect.location) == (302, f"/check_status/{job}")
    assert redirect.json == wanted
    assert api.get(redirect.request.full_path, follow_redirects=True).json == wanted


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("job", ["f" * 32, "no-such-job", "..%2Fjobs"])
def test_an_unknown_job_is_not_pending_for_ever(api, look, job):
    name = "not-found" if "%2F" in job and "?" not in look else "unknown-job"
    is_problem(api.get(look.format(job)), 404, name)


@pytest.mark.parametrize("query", ["", "?task_id=", "?job_id=x"])
def test_a_redirect_needs_a_task_id(api, query):
    errors = is_problem(api.get("/check_status_redirect" + query), 422, "invalid")["errors"]
    assert [error["field"] for error in errors] == ["task_id"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/start-job", {}, "name"),
        ("/start-job", {"name": "a\nb"}, "name"),
        ("/start-job", {"name": "a", "kind": "email"}, "kind"),
        ("/start-task", {"duration": "10"}, "duration"),
        ("/start-task", {"duration": -1}, "duration"),
        ("/add", {"a": 5}, "b"),
        ("/add", {"a": 5, "b": True}, "b"),
        ("/add", {"a": 5, "b": 3, "c": 1}, "c"),
        ("/add", [5, 3], ""),
    ],
)
def test_a_wrong_field_is_named(api, redis_server, path, body, field):
    errors = is_problem(api.post(path, json=body), 422, "invalid")["errors"]
    assert {error["field"].partition(".")[0] for error in errors} == {field}
    assert redis_server.client.keys("*") == []


@pytest.mark.parametrize(("path", "body", "name"), SUBMITS)
def test_a_key_makes_one_job(api, path, body, name):
    first, again = (api.post(path, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json == again.json
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    other = api.post(path, json={**body, "notify": "a@example.org"}, headers={"Idempotency-Key": "k"})
    is_problem(other, 422, "idempotency-conflict")
    wrong = api.post(path, json=body, headers={"Idempotency-Key": "a b"})
    assert is_problem(wrong, 422, "invalid")["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize(("path", "body", "name"), SUBMITS)
def test_a_body_that_is_not_json(api, path, body, name):
    is_problem(api.post(path, data=b"{", content_type="application/json"), 400, "invalid")
    is_problem(api.post(path, data=body), 400, "invalid")
