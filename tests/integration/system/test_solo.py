"""One process that fetches and works, as on Windows and macOS (`--pool=solo`); and what any worker logs."""

import json

import pytest

from system.effective import MASK
from tests.integration.system.sink import Sink
from tests.integration.system.stack import BIN, Stack

SOLO = (
    f"{BIN}/celery --quiet -A system.worker.app worker --pool=solo --without-gossip --without-mingle -l INFO"
)
PREFORK = SOLO.replace("--pool=solo", "--concurrency=1")
SECRET = "verborgen-1"
# As root Celery warns before there is any logging.
JSON = {"LOG_FORMAT": "json", "SMTP_PASSWORD": SECRET, "PYTHONWARNINGS": "ignore"}

WANTED = {
    "SUCCESS": [
        ({"kind": "email", "to": "a@b.c", "subject": "solo", "body": "."}, "Email sent to a@b.c"),
        ({"kind": "greet", "name": "Ada"}, "Hello Ada"),
        ({"kind": "sleep", "duration": 0.1}, "Processed for 0.1 seconds."),
        ({"kind": "add", "a": 5, "b": 3}, 8),
        ({"kind": "reverse", "text": "abc"}, "cba"),
        ({"kind": "sentiment", "text": "a good day"}, "positive"),
    ],
    "FAILURE": [({"kind": "greet", "name": "fail"}, "Simulated task failure")],
}


class OwnWorker(Stack):
    """A stack whose worker is started by another line."""

    line = SOLO

    def start(self, name):
        self._commands["worker"] = self.line.split()
        super().start(name)

    def kill_worker(self):
        self.processes["worker"].kill()
        self.processes["worker"].wait()


@pytest.fixture
def stack(own_redis, tmp_path):
    made = []

    def make(line=SOLO, **env):
        sink = Sink(data_limit_s=1)
        kind = type("Own", (OwnWorker,), {"line": line})
        env = {"GREET_DIR": str(tmp_path / "greetings"), **env}
        made.append((kind(tmp_path, own_redis.url, sink, **env), sink))
        return made[-1]

    yield make
    for system, sink in made:
        system.stop()
        sink.stop()


def submit(system, until, body, key):
    answers = []

    def accepted():
        status, text = system.call("/jobs", body, key)
        answers.append(text)
        return status == 202

    until(accepted, 20, f"a 202 for {body}")
    return json.loads(answers[-1])["id"]


def ended(system, job_id):
    document = json.loads(system.call(f"/jobs/{job_id}")[1])
    return document if document["state"] in {"SUCCESS", "FAILURE"} else None


def test_a_solo_worker_does_every_kind_and_lives_on_after_kills(stack, until, tmp_path):
    system, sink = stack(**JSON)
    jobs = []
    for turn in range(2):
        for state, bodies in WANTED.items():
            for n, (body, answer) in enumerate(bodies):
                jobs.append((submit(system, until, body, f"{turn}-{state}-{n}"), state, answer))
        system.kill_worker()
        system.keep_up()
    # No kill hit this one.
    last = submit(system, until, {"kind": "reverse", "text": "ab"}, "last")
    for job_id, state, answer in [*jobs, (last, "SUCCESS", "ba")]:
        until(lambda job_id=job_id: ended(system, job_id), 30, f"the end of {job_id}")
        document = ended(system, job_id)
        told = document["result"] if state == "SUCCESS" else document["error"]
        assert (document["state"], told) == (state, answer)
    assert sorted(mail["X-Job-Key"] for mail in sink.mails) == ["0-SUCCESS-0", "1-SUCCESS-0"]
    assert len(list((tmp_path / "greetings").iterdir())) == 2
    system.stop()
    assert_lines_carry_their_job(system, [last])


def read_lines(system, name):
    text = (system.folder / f"{name}.log").read_text().splitlines()
    # Celery writes this one from its signal handler, past all logging.
    return [json.loads(line) for line in text if line and line != "worker: Warm shutdown (MainProcess)"]


def assert_lines_carry_their_job(system, job_ids):
    lines = {name: read_lines(system, name) for name in ("worker", "relay", "api")}
    for name, said in lines.items():
        assert {line["role"] for line in said} == {name}
        assert any(f"SMTP_PASSWORD={MASK}" in line["message"] for line in said), name
        assert SECRET not in json.dumps(said)
    of_jobs = {}
    for line in lines["worker"]:
        if "mail.deliver[" in line["message"] or line["message"].startswith("job "):
            of_jobs.setdefault(line["job_id"], []).append(line["message"])
    for job_id in job_ids:
        for words in ("received", "recorded: ", "succeeded"):
            assert any(words in message for message in of_jobs[job_id]), words
    others = [line for line in lines["worker"] if "Connected to" in line["message"]]
    assert others
    assert not any("job_id" in line for line in others)


def test_each_line_of_a_pool_carries_its_job(stack, until):
    system, _ = stack(PREFORK, **JSON)
    mail = submit(system, until, {"kind": "email", "to": "a@b.c", "subject": "s", "body": "."}, "one")
    failing = submit(system, until, {"kind": "greet", "name": "fail"}, "two")
    until(lambda: ended(system, mail) and ended(system, failing), 20, "both ends")
    system.stop()
    assert_lines_carry_their_job(system, [mail, failing])
