"""What clients of the older systems rely on, over HTTP against the real processes, on both brokers.

One test for each row of the table of routes, and for what the jobs resource offers beside. Every answer is
also held against the OpenAPI document.
"""

import re
import signal
import uuid
from contextlib import ExitStack

import pytest
import requests

from tests.integration.system.conftest import RedisServer
from tests.integration.system.documented import Document
from tests.integration.system.sink import Sink
from tests.integration.system.stack import Stack

ENDED = {"SUCCESS", "FAILURE", "REVOKED"}
PROCESSING = {"state": "PENDING", "status": "Job is still processing..."}
FORMS = [
    (
        {"form_type": "email", "recipient": "a@example.org", "subject": "s", "body": "b"},
        "Email sent to a@example.org",
    ),
    ({"form_type": "reverse", "text": "straw"}, "warts"),
    ({"form_type": "sentiment", "text": "a good day"}, "positive"),
    ({"form_type": "sentiment", "text": "a day"}, "negative"),
]


class Client:
    """Asks the API, and holds every answer against the document."""

    def __init__(self, stack, sink):
        self.stack, self.sink = stack, sink
        self._base = f"http://127.0.0.1:{stack.port}"
        self._document = None

    def up(self):
        self.stack.keep_up()
        try:
            ready = requests.get(self._base + "/ready", timeout=5)
        except requests.ConnectionError:
            return False
        return ready.ok and "celery@" in (self.stack.folder / "worker.log").read_text()

    def ask(self, method, address, **how):
        if self._document is None:
            self._document = Document(requests.get(self._base + "/openapi.json", timeout=10).json())
        answer = requests.request(method, self._base + address, timeout=10, allow_redirects=False, **how)
        body = answer.json() if answer.headers["Content-Type"].partition(";")[0].endswith("json") else None
        path = self._document.path_of(address)
        self._document.check_parts(method.lower(), path, answer.status_code, answer.headers, body)
        return answer

    def post(self, address, body, **how):
        answer = self.ask("POST", address, json=body, **how)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def get(self, address):
        answer = self.ask("GET", address)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def running(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract")
    with ExitStack() as ends:
        (folder / "redis").mkdir()
        server = RedisServer(folder / "redis")
        ends.callback(server.close)
        # Nobody to ask for receipts, so that a doubt is held for a person.
        env = {"RECEIPTS_URL": "", "GREET_DIR": str(folder / "greetings")}
        if request.param == "rabbitmq":
            env["BROKER_URL"] = request.getfixturevalue("rabbit_server").emptied().url
        sink = Sink(data_limit_s=1)
        ends.callback(sink.stop)
        stack = Stack(folder, server.url, sink, pool=4, **env)
        ends.callback(stack.stop)
        yield Client(stack, sink)


@pytest.fixture
def api(running, until):
    until(running.up, 30, "the stack")
    return running


@pytest.fixture
def ended(api, until):
    """Waits for a job's end, and answers its document."""

    def wait(job):
        until(lambda: api.get(f"/jobs/{job}")["state"] in ENDED, 20, f"an end of {job}")
        return api.get(f"/jobs/{job}")

    return wait


# -- the table ----------------------------------------------------------------------------------------------


def test_start_job(api, ended):
    started = api.post("/start-job", {"name": "User"})
    job = started["job_id"]
    assert started == {"job_id": job, "status": "PENDING"}
    ended(job)
    assert api.get(f"/job-status/{job}") == {"job_id": job, "state": "SUCCESS", "result": "Hello User"}
    assert (api.stack.folder / "greetings" / f"{job}.txt").read_text() == "Hello User\n"


def test_start_job_that_fails(api, ended):
    job = api.post("/start-job", {"name": "fail"})["job_id"]
    ended(job)
    wanted = {"job_id": job, "state": "FAILURE", "error": "Simulated task failure"}
    assert api.get(f"/job-status/{job}") == wanted


def test_start_task(api, ended):
    started = api.post("/start-task", {"duration": 2})
    job = started["task_id"]
    assert started == {"message": "Job received. Processing in background.", "task_id": job}
    assert api.get(f"/result/{job}") == PROCESSING
    ended(job)
    assert api.get(f"/result/{job}") == {"state": "SUCCESS", "result": "Processed for 2 seconds."}


def test_a_task_that_runs_is_still_processing(api, until):
    job = api.post("/start-task", {"duration": 2})["task_id"]
    until(lambda: api.get(f"/check_status/{job}")["state"] == "STARTED", 10, "a start")
    assert api.get(f"/result/{job}") == PROCESSING


def test_add(api, ended):
    started = api.post("/add", {"a": 5, "b": 3})
    job = started["task_id"]
    assert started == {"task_id": job}
    before = api.get(f"/result/{job}")
    assert before in ({"status": "PENDING", "result": None}, {"status": "SUCCESS", "result": 8})
    ended(job)
    assert api.get(f"/result/{job}") == {"status": "SUCCESS", "result": 8}


@pytest.mark.parametrize(("form", "result"), FORMS)
def test_a_form(api, ended, form, result):
    answer = api.ask("POST", "/", data=form)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "Job received. Processing in background." in answer.text
    job = re.search(r"\b[0-9a-f]{32}\b", answer.text[answer.text.index("Job received") :])[0]
    assert ended(job)["result"] == result
    shown = api.get(f"/check_status/{job}")
    assert shown == {"task_id": job, "state": "SUCCESS", "result": result}


@pytest.mark.parametrize(("form", "result"), FORMS)
def test_a_form_in_json(api, ended, form, result):
    job = api.post("/", form)["task_id"]
    assert ended(job)["result"] == result


def test_check_status_and_its_redirect(api, ended):
    job = api.post("/add", {"a": 0.5, "b": -1})["task_id"]
    ended(job)
    wanted = {"task_id": job, "state": "SUCCESS", "result": -0.5}
    assert api.get(f"/check_status/{job}") == wanted
    redirect = api.ask("GET", f"/check_status_redirect?task_id={job}")
    assert (redirect.status_code, redirect.headers["Location"]) == (302, f"/check_status/{job}")
    assert redirect.json() == wanted


@pytest.mark.parametrize(
    "look", ["/job-status/", "/result/", "/check_status/", "/check_status_redirect?task_id=", "/jobs/"]
)
def test_an_unknown_id_is_404(api, look):
    assert api.ask("GET", look + "f" * 32).status_code == 404


# -- the jobs resource --------------------------------------------------------------------------------------


def test_a_mail(api, ended):
    key = uuid.uuid4().hex
    body = {"kind": "email", "to": "b@example.org", "subject": "s", "body": "b", "priority": "high"}
    accepted = [api.post("/jobs", body, headers={"Idempotency-Key": key})["id"] for _ in range(3)]
    assert len(set(accepted)) == 1
    shown = ended(accepted[0])
    assert (shown["state"], shown["result"]) == ("SUCCESS", "Email sent to b@example.org")
    assert [mail["To"] for mail in api.sink.mails if mail["X-Job-Key"] == key] == ["b@example.org"]


def test_cancel_before_and_after(api, ended):
    done = api.post("/add", {"a": 1, "b": 1})["task_id"]
    ended(done)
    late = api.ask("DELETE", f"/jobs/{done}")
    assert (late.status_code, late.json()["type"].rpartition("/")[2]) == (409, "too-late")
    worker = api.stack.processes["worker"]
    worker.send_signal(signal.SIGSTOP)
    try:
        job = api.post("/start-job", {"name": "Nobody"})["job_id"]
        cancelled = api.ask("DELETE", f"/jobs/{job}")
    finally:
        worker.send_signal(signal.SIGCONT)
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "REVOKED")
    assert api.get(f"/job-status/{job}") == {"job_id": job, "state": "REVOKED"}
    ended(api.post("/add", {"a": 1, "b": 1})["task_id"])
    assert not (api.stack.folder / "greetings" / f"{job}.txt").exists()


def test_a_batch(api, ended):
    jobs = [{"kind": "add", "a": n, "b": 1} for n in range(20)]
    jobs += [{"kind": "reverse", "text": "ab", "key": uuid.uuid4().hex}, {"kind": "greet", "name": "All"}]
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first, again = (api.post("/jobs:batch", {"jobs": jobs}, headers=headers)["jobs"] for _ in range(2))
    assert [one["id"] for one in first] == [one["id"] for one in again]
    assert {one["replayed"] for one in first} == {False}
    assert {one["replayed"] for one in again} == {True}
    results = [ended(one["id"])["result"] for one in first]
    assert results == [*range(1, 21), "ba", "Hello All"]
    wrong = api.ask("POST", "/jobs:batch", json={"jobs": [jobs[0], {"kind": "add", "a": 1}]})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "jobs.1.b")


def test_the_list_page_by_page(api, ended):
    made = [api.post("/jobs", {"kind": "reverse", "text": "ab"})["id"] for _ in range(5)]
    for job in made:
        ended(job)
    seen, address = [], "/jobs?kind=reverse&state=SUCCESS&limit=2"
    page = api.get(address)
    while True:
        seen += [job["id"] for job in page["jobs"]]
        assert {(job["kind"], job["state"]) for job in page["jobs"]} <= {("reverse", "SUCCESS")}
        if page["next"] is None:
            break
        page = api.get(f"{address}&cursor={page['next']}")
    assert seen[:5] == made[::-1]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("body", "words"),
    [({"kind": "add", "a": 5, "b": 3}, "8"), ({"kind": "greet", "name": "fail"}, "Simulated")],
)
def test_an_address_is_told_how_a_job_ended(api, ended, body, words):
    to = f"{uuid.uuid4().hex}@example.org"
    job = ended(api.post("/jobs", {**body, "notify": to})["id"])
    assert ended(job["notify_job"])["state"] == "SUCCESS"
    [mail] = [mail for mail in api.sink.mails if mail["To"] == to]
    assert words in mail.get_payload(decode=True).decode()


def test_a_doubt_is_resolved_by_hand(api, until):
    key = uuid.uuid4().hex
    api.sink.unclear[key] = True
    body = {"kind": "email", "to": "c@example.org", "subject": "s", "body": "b"}
    job = api.post("/jobs", body, headers={"Idempotency-Key": key})["id"]
    until(lambda: job in {one["id"] for one in api.get("/jobs?state=held")["jobs"]}, 20, "a held doubt")
    assert api.get(f"/result/{job}") == PROCESSING
    resolved = api.ask(
        "POST", f"/jobs/{job}:resolve", json={"answer": "stored", "note": "it is in the inbox"}
    )
    assert (resolved.status_code, resolved.json()["state"]) == (200, "SUCCESS")
    assert [mail["To"] for mail in api.sink.mails if mail["X-Job-Key"] == key] == ["c@example.org"]


def test_only_a_doubt_can_be_resolved(api, ended):
    job = api.post("/start-task", {"duration": 1})["task_id"]
    for answer in ("stored", "not_stored", "resend"):
        refused = api.ask("POST", f"/jobs/{job}:resolve", json={"answer": answer})
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "not-in-doubt")
    assert ended(job)["result"] == "Processed for 1 seconds."
