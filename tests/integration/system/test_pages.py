"""The pages over a real Redis: what each form does, what a reader is told, how a browser takes it."""

import re
import uuid
from html.parser import HTMLParser

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from system.delivery.ledger import PREFIX
from tests.integration.system import browser as looking
from tests.integration.system.served import served
from tests.integration.system.world import let_pass

EMAIL = {"form_type": "email", "recipient": "a@example.org", "subject": "s", "body": "b"}
EVIL = "<script>alert(1)</script>\"'"
LISTS = ("/", "/ui/jobs", "/ui/doubts", "/ui/health")


@pytest.fixture
def serve(settings):
    with served(settings) as make:
        yield make


@pytest.fixture
def site(serve):
    return serve()


@pytest.fixture
def away(own_redis, serve):
    """A site whose Redis was killed after it had connected."""
    client = serve(ledger_url=own_redis.url, broker_url=own_redis.url, redis_timeout_s=0.5)
    assert client.get("/").status_code == 200
    own_redis.kill()
    return client


def ledger_of(client):
    return client.application.extensions["mail"].ledger


def accept(client, **body):
    body = body or {"kind": "email", "to": "a@example.org", "subject": "s", "body": "b"}
    answer = client.post("/jobs", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    assert answer.status_code == 202, answer.text
    return answer.json["id"]


def begin(ledger, job):
    return ledger.lease(job, uuid.uuid4().hex, "w1", "h")


def into_doubt(client, job, *, held):
    """As a worker leaves it that died after the final dot."""
    ledger = ledger_of(client)
    lease = begin(ledger, job)
    ledger.mark_sending(job, lease.fence, "w1")
    let_pass(ledger.client, job)
    assert begin(ledger, job).reason == "doubt"
    if held:
        assert ledger.ask(job, "asker", 10)
        ledger.verdict(job, "asker", "hold", "nobody can be asked", "w1")
    return job


def task_id(page):
    [found] = re.findall(r'id="task-id">([0-9a-f]{32})<', page.text)
    return found


def tokens(page):
    return re.findall(r'name="token" value="([0-9a-f]{32})"', page.text)


def one_of_each(client):
    """A job in every state that looks different, and the address of each page."""
    ledger = ledger_of(client)
    ledger.claim_due(0)
    failed, done = accept(client, kind="greet", name="fail"), accept(client, kind="add", a=5, b=3)
    ledger.fail(failed, begin(ledger, failed).fence, "Simulated task failure", "w1")
    ledger.done(done, begin(ledger, done).fence, 8, "w1")
    ledger.cancel(accept(client, kind="reverse", text="x" * 150))
    jobs = [into_doubt(client, accept(client), held=True), into_doubt(client, accept(client), held=False)]
    jobs = [jobs[0], failed, accept(client, kind="sleep", duration=10, notify="me@example.org")]
    return [*LISTS, *(f"/ui/jobs/{job}" for job in jobs), "/ui/jobs/unknown"]


class Outside(HTMLParser):
    """Collects whatever a page must not have: addresses elsewhere, and scripts or styles of its own."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._inside = tag
        for name, value in attrs:
            address = name in {"src", "href", "action", "srcset", "formaction", "data", "poster"}
            if name.startswith("on") or name == "style" or (address and not re.match(r"/(?!/)|#", value)):
                self.found.append((tag, name, value))

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside in {"script", "style"} and data.strip():
            self.found.append((self._inside, "text", data))


@pytest.mark.parametrize(
    ("form", "kind", "payload"),
    [
        (EMAIL, "email", {"to": "a@example.org", "subject": "s", "body": "b"}),
        (
            {**EMAIL, "body": "one\r\ntwo"},
            "email",
            {"to": "a@example.org", "subject": "s", "body": "one\ntwo"},
        ),
        ({"form_type": "reverse", "text": "abc"}, "reverse", {"text": "abc"}),
        ({"form_type": "sentiment", "text": "good"}, "sentiment", {"text": "good"}),
        ({"form_type": "greet", "name": "Ada"}, "greet", {"name": "Ada"}),
        ({"form_type": "sleep", "duration": "1.5"}, "sleep", {"duration": 1.5}),
        ({"form_type": "add", "a": "5", "b": "-3"}, "add", {"a": 5, "b": -3}),
    ],
)
def test_every_form(site, form, kind, payload):
    page = site.post("/", data=form)
    assert page.status_code == 200
    assert page.mimetype == "text/html"
    assert "Job received" in page.text
    job = site.get(f"/jobs/{task_id(page)}").json
    assert (job["kind"], job["payload"], job["notify"]) == (kind, payload, None)


def test_the_optional_fields_of_a_form(site, redis_server):
    page = site.post("/", data={**EMAIL, "priority": "high", "notify": "boss@example.org", "submit": "Go"})
    assert site.get(f"/jobs/{task_id(page)}").json["notify"] == "boss@example.org"
    assert redis_server.client.hget(f"{PREFIX}job:{task_id(page)}", "priority") == "high"


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({**EMAIL, "recipient": "a@b, c@d"}, "recipient"),
        ({**EMAIL, "subject": "a\nBcc: x@y"}, "subject"),
        ({**EMAIL, "body": ""}, "body"),
        ({**EMAIL, "notify": "nobody"}, "notify"),
        ({"form_type": "sleep", "duration": "long"}, "duration"),
        ({"form_type": "sleep", "duration": "601"}, "duration"),
        ({"form_type": "sleep", "duration": "nan"}, "duration"),
        ({"form_type": "add", "a": "1"}, "b"),
        ({"form_type": "add", "a": "9" * 400, "b": "1"}, "a"),
        ({"form_type": "reverse"}, "text"),
    ],
)
def test_a_wrong_form_comes_back_with_its_values(site, redis_server, form, field):
    page = site.post("/", data=form)
    assert page.status_code == 422
    name = f"{form['form_type']}-{field}"
    [control] = re.findall(rf'<(?:input|textarea)[^>]*id="{name}"[^>]*>', page.text)
    assert 'aria-invalid="true"' in control
    assert f'{name}-error"' in control
    assert re.search(rf'id="{name}-error">[^<]+<', page.text)
    assert f'href="#{name}"' in page.text
    assert page.text.count('aria-invalid="true"') == 1
    for value in form.values():
        assert value.replace("\n", "\r\n") in page.text or value in page.text
    assert redis_server.client.keys(PREFIX + "job:*") == []


def test_a_form_of_no_kind(site):
    page = site.post("/", data={"form_type": "fax"})
    assert page.status_code == 422
    assert "form_type: must be one of email" in page.text
    assert site.post("/").status_code == 422


def test_a_reload_sends_nothing_twice(site, redis_server):
    token = tokens(site.get("/"))[0]
    first, again = (site.post("/", data={**EMAIL, "token": token}) for _ in range(2))
    assert task_id(first) == task_id(again)
    assert "received before" in again.text
    assert "received before" not in first.text
    other = site.post("/", data={**EMAIL, "token": token, "body": "a second thought"})
    assert task_id(other) != task_id(first)
    assert redis_server.client.hget(PREFIX + "stats", "accepted") == "2"


def test_every_form_of_every_page_has_a_token_of_its_own(site):
    found = [*tokens(site.get("/")), *tokens(site.get("/")), *tokens(site.post("/", data=EMAIL))]
    assert len(found) == len(set(found)) == 18


def test_clients_of_older_systems_bring_no_token(site):
    assert task_id(site.post("/", data=EMAIL)) != task_id(site.post("/", data=EMAIL))
    wild = site.post("/", data={**EMAIL, "token": 'no "token" <of> ours'})
    assert wild.status_code == 200
    assert site.get(f"/jobs/{task_id(wild)}").json["key"] is None


def test_json(site):
    first, again = (site.post("/", json=EMAIL, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.status_code == again.status_code == 202
    assert first.json.keys() == {"task_id", "message", "status_url"}
    assert first.json["task_id"] == again.json["task_id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert site.get(first.json["status_url"]).json["payload"]["to"] == "a@example.org"
    assert site.post("/", json={"form_type": "add", "a": 5, "b": 3}).status_code == 202


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({**EMAIL, "recipient": "nobody"}, {"recipient"}),
        ({**EMAIL, "to": "a@example.org"}, {"recipient"}),
        ({**EMAIL, "x": 1}, {"x"}),
        ({"form_type": "add", "a": "5", "b": 3}, {"a"}),
        ({"text": "abc"}, {"form_type"}),
        ([], {""}),
    ],
)
def test_wrong_json(site, body, fields):
    answer = site.post("/", json=body)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert {error["field"] for error in answer.json["errors"]} == fields


def test_nothing_of_a_job_is_markup(site):
    name = accept(site, kind="greet", name=EVIL)
    mail = accept(site, kind="email", to="a@example.org", subject=EVIL, body=EVIL)
    into_doubt(site, mail, held=True)
    ledger = ledger_of(site)
    ledger.fail(name, begin(ledger, name).fence, EVIL, EVIL)
    wrong = {**EMAIL, "recipient": EVIL, "subject": EVIL, "body": f"</textarea>{EVIL}", "notify": EVIL}
    pages = [
        site.get(path) for path in (*LISTS, f"/ui/jobs/{name}", f"/ui/jobs/{mail}", f"/ui/jobs?state={EVIL}")
    ]
    pages += [site.post("/", data=wrong), site.post("/", data={"form_type": EVIL, "token": EVIL})]
    assert sum("alert(1)" in page.text for page in pages) >= 5
    for page in pages:
        assert "<script>alert" not in page.text
        assert not Outside(page.text).found


def test_pages_are_whole_without_the_outside(site):
    for path in one_of_each(site):
        text = site.get(path).text
        assert text.startswith("<!doctype html>"), path
        assert Outside(text).found == [], path
        for address in re.findall(r'(?:src|href)="(/[^"#]*)', text):
            with site.get(address.replace("&amp;", "&")) as answer:
                assert answer.status_code in {200, 503}, address
    with site.get("/favicon.ico") as answer:
        assert answer.mimetype == "image/svg+xml"


def test_a_job_and_what_came_of_it(site):
    ledger, job = ledger_of(site), accept(site, kind="add", a=5, b=3)
    page = site.get(f"/ui/jobs/{job}").text
    assert "PENDING" in page
    assert "Cancel this job" in page
    lease = begin(ledger, job)
    page = site.get(f"/ui/jobs/{job}").text
    assert "STARTED" in page
    assert "Cancel this job" not in page
    ledger.done(job, lease.fence, 8, "w1")
    page = site.get(f"/ui/jobs/{job}").text
    assert "SUCCESS" in page
    assert 'id="result">8<' in page
    assert [word for word in ("accepted", "leased", "done") if f"<strong>{word}</strong>" in page] == [
        "accepted",
        "leased",
        "done",
    ]


def test_cancel(site):
    job = accept(site)
    answer = site.post(f"/ui/jobs/{job}/cancel")
    assert (answer.status_code, answer.location) == (303, f"/ui/jobs/{job}")
    assert "REVOKED" in site.get(answer.location).text
    ledger, late = ledger_of(site), accept(site, kind="sleep", duration=1)
    begin(ledger, late)
    answer = site.post(f"/ui/jobs/{late}/cancel")
    assert (answer.status_code, answer.mimetype) == (409, "text/html")
    assert "can no longer be cancelled" in answer.text


@pytest.mark.parametrize(
    ("answer", "state"), [("stored", "SUCCESS"), ("not_stored", "PENDING"), ("resend", "PENDING")]
)
def test_resolve(site, answer, state):
    job = into_doubt(site, accept(site), held=True)
    done = site.post(f"/ui/jobs/{job}/resolve", data={"answer": answer, "note": "I called them"})
    assert (done.status_code, done.location) == (303, f"/ui/jobs/{job}")
    page = site.get(done.location).text
    assert f"{state}</span>" in page
    assert "I called them" in page
    assert site.post(f"/ui/jobs/{job}/resolve", data={"answer": "resend"}).status_code == 409


def test_a_wrong_resolution(site):
    job = into_doubt(site, accept(site), held=True)
    for data in ({}, {"answer": "perhaps"}, {"answer": "stored", "note": "x" * 201}):
        answer = site.post(f"/ui/jobs/{job}/resolve", data=data)
        assert (answer.status_code, answer.mimetype) == (422, "text/html")
    assert site.get(f"/jobs/{job}").json["state"] == "RETRY"


def test_doubts(site):
    held, asked = (into_doubt(site, accept(site), held=flag) for flag in (True, False))
    page = site.get("/ui/doubts").text
    first, second = page.split('id="asked"')
    assert (held in first, held in second) == (True, False)
    assert (asked in first, asked in second) == (False, True)
    assert f'action="/ui/jobs/{held}/resolve"' in page


def test_filters_and_pages(site):
    adds = [accept(site, kind="add", a=1, b=n) for n in range(30)]
    accept(site, kind="reverse", text="abc")
    first = site.get("/ui/jobs?kind=add&state=PENDING").text
    [older] = re.findall(r'rel="next" href="([^"]*)"', first)
    second = site.get(older.replace("&amp;", "&")).text
    seen = [re.findall(r'<li id="job-([0-9a-f]{32})"', text) for text in (first, second)]
    assert [len(ids) for ids in seen] == [25, 5]
    assert sorted(seen[0] + seen[1]) == sorted(adds)
    assert "No jobs" not in second
    assert 'rel="next"' not in second
    assert "<li id=" not in site.get("/ui/jobs?state=FAILURE").text
    wrong = site.get("/ui/jobs?state=asleep")
    assert (wrong.status_code, wrong.mimetype) == (422, "text/html")


def test_what_is_not_there(site):
    page = site.get("/ui/jobs/" + "f" * 32)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "There is no such job" in page.text


def test_health(site):
    page = site.get("/ui/health")
    assert page.status_code == 503
    assert "has never run" in page.text
    ledger_of(site).claim_due(1)
    accept(site)
    page = site.get("/ui/health")
    assert page.status_code == 200
    assert "All parts work" in page.text
    assert re.search(r"<dt>queued</dt><dd>1</dd>", page.text)
    assert re.search(r"<dt>email</dt><dd>1</dd>", page.text)


def test_pages_stand_when_the_ledger_is_away(away):
    for path in (*LISTS, "/ui/jobs/" + "f" * 32):
        page = away.get(path)
        assert (page.status_code, page.mimetype) == (503, "text/html"), path
        assert "</html>" in page.text
        assert "ledger" in page.text
        assert "Traceback" not in page.text


def test_a_form_that_could_not_be_accepted_can_be_sent_again(away, own_redis):
    form = {**EMAIL, "token": "f" * 32}
    page = away.post("/", data=form)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "1")
    assert "Nothing was accepted" in page.text
    assert 'value="a@example.org"' in page.text
    assert "f" * 32 in tokens(page)
    own_redis.start()
    first, again = (away.post("/", data=form) for _ in range(2))
    assert first.status_code == 200
    assert task_id(first) == task_id(again)


def test_a_bug_is_a_page_without_its_reason(site, redis_server):
    job = accept(site)
    redis_server.client.hset(f"{PREFIX}job:{job}", "payload", "a secret that is no JSON")
    page = site.get("/")
    assert (page.status_code, page.mimetype) == (500, "text/html")
    assert "secret" not in page.text
    assert "Traceback" not in page.text


def test_pages_need_the_key_where_there_is_one(serve):
    page = serve(api_key="k" * 20).get("/ui/jobs")
    assert (page.status_code, page.mimetype) == (401, "text/html")
    assert any("Basic" in way for way in page.headers.getlist("WWW-Authenticate"))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with looking.chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def visit(chromium, site):
    """Opens a path of the running site, at the size of a desktop."""
    with looking.serving(site.application) as address:

        def go(path):
            chromium.get(address + path)
            return chromium

        looking.look_as(chromium, looking.DESKTOP)
        looking.complaints(chromium)
        yield go
        chromium.get("about:blank")


def press(browser, *keys):
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


def focused(browser):
    return browser.execute_script(
        "return document.activeElement.id || document.activeElement.textContent.trim()"
    )


def tab_to(browser, wanted):
    """Presses Tab until the element with this id or text has the focus, which must be visible."""
    for _ in range(40):
        press(browser, Keys.TAB)
        if focused(browser) == wanted:
            style = "return getComputedStyle(document.activeElement).outlineStyle"
            assert browser.execute_script(style) != "none"
            return
    pytest.fail(f"the keyboard does not reach {wanted}")


def test_with_the_keyboard_alone_and_without_reloading(visit, site, until):
    browser = visit("/")
    press(browser, Keys.TAB)
    assert focused(browser) == "Skip to the content"
    press(browser, Keys.ENTER)
    tab_to(browser, "Greet writes a greeting to a file")
    press(browser, Keys.ENTER)
    tab_to(browser, "greet-name")
    press(browser, "Ada", Keys.ENTER)
    until(lambda: browser.find_elements(By.ID, "task-id"), what="the page after the submission")
    job = browser.find_element(By.ID, "task-id").text
    row = f"#job-{job} .state"
    assert looking.text_of(browser, row) == "PENDING"
    browser.execute_script("window.unreloaded = true")
    tab_to(browser, f"link-{job}")

    ledger = ledger_of(site)
    ledger.done(job, begin(ledger, job).fence, "Hello Ada", "w1")
    until(lambda: looking.text_of(browser, row) == "SUCCESS", what="the live state")
    assert browser.execute_script("return window.unreloaded") is True
    assert "SUCCESS" in browser.find_element(By.ID, "news").get_attribute("textContent")
    assert focused(browser) == f"link-{job}"

    press(browser, Keys.ENTER)
    until(lambda: browser.find_elements(By.ID, "result"), what="the job's page")
    assert looking.text_of(browser, "#result") == "Hello Ada"
    assert looking.complaints(browser) == []


def test_live_updates_leave_alone_what_is_being_typed(visit, site, until):
    mine = into_doubt(site, accept(site), held=True)
    browser = visit("/ui/doubts")
    tab_to(browser, f"open-{mine}")
    press(browser, Keys.ENTER)
    tab_to(browser, f"note-{mine}")
    press(browser, "I called")
    other = into_doubt(site, accept(site), held=True)
    until(lambda: browser.find_elements(By.ID, f"job-{other}"), what="the new doubt")
    assert focused(browser) == f"note-{mine}"
    press(browser, " them")
    assert browser.find_element(By.ID, f"note-{mine}").get_property("value") == "I called them"


BUTTON = "document.getElementById('live-toggle').click();"
TAB = (
    "Object.defineProperty(document, 'hidden', {value: !document.hidden, configurable: true});"
    "document.dispatchEvent(new Event('visibilitychange'));"
)


@pytest.mark.parametrize("switch", [BUTTON, TAB], ids=["the button", "a tab that nobody sees"])
def test_live_updates_pause(visit, site, until, switch):
    job = accept(site)
    browser = visit(f"/ui/jobs/{job}")
    looks = "performance.getEntriesByType('resource').filter((one) => one.initiatorType === 'fetch').length"
    until(lambda: browser.execute_script(f"return {looks}") > 0, what="the first look")
    # Three of the page's own intervals, after any look that was under way.
    pause = f"{switch} const done = arguments[0]; setTimeout(() => {{ const seen = {looks};"
    more = browser.execute_async_script(f"{pause} setTimeout(() => done({looks} - seen), 6000); }}, 6000)")
    assert more == 0
    ledger_of(site).cancel(job)
    assert "PENDING" in looking.text_of(browser, "#standing")
    browser.execute_script(switch)
    until(lambda: "REVOKED" in looking.text_of(browser, "#standing"), what="the live state")


def test_every_page_fits_a_phone_and_keeps_nobody_out(chromium, visit, site):
    faults = {}
    for path in one_of_each(site):
        looking.look_as(chromium, looking.PHONE)
        ledger_of(site).claim_due(0)  # a relay that said nothing for a while would make the health page red
        browser = visit(path)
        browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
        found = looking.serious_faults(browser)
        if over := looking.overflow_px(browser):
            found.append(f"{over} px too wide")
        looking.look_as(browser, looking.PHONE, dark=True)
        found += looking.serious_faults(browser, "color-contrast")
        if found:
            faults[path] = found
    assert faults == {}
    expected = "the server responded with a status of 404"
    assert [words for words in looking.complaints(browser) if expected not in words] == []
