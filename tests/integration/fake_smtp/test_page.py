"""The page of the sink in a real browser: live, harmless whatever a mail carries, and usable by everybody."""

from __future__ import annotations

import asyncio
import signal
import smtplib
import socket
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from fake_smtp.page import own_pages_only
from fake_smtp.plan import Rule
from tests.integration.fake_smtp.conftest import Sink, check_evidence, mail
from tests.integration.fake_smtp.test_inbox import get
from tests.integration.system import browser as looking

SOON_S = 10
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def with_html(remote: str) -> bytes:
    """A mail that tries what a mail can try."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "from@client.test", "html@sink.test"
    message["Subject"] = "<img src=x onerror=\"document.title='hit'\">"
    message.set_content("plain <b>text</b>")
    message.add_alternative(
        f"""<html><head><link rel="stylesheet" href="{remote}/style">
        <meta http-equiv="refresh" content="0;{remote}">
        <script>document.title = top.document.title = "hit"</script></head>
        <body onload="document.title = 'hit'"><h1 style="color: rgb(1, 2, 3)">Shipped</h1>
        <img id="far" src="{remote}/pixel" onerror="document.title = 'hit'">
        <img id="near" src="data:image/png;base64,{PIXEL}"><iframe src="{remote}/frame"></iframe>
        <a href="{remote}/link" target="_self">Track it</a></body></html>""",
        subtype="html",
    )
    message.add_attachment(b"\0\1", maintype="image", subtype="png", filename="a b.png")
    return bytes(message)


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    sink = Sink(tmp_path_factory.mktemp("sink"))
    yield sink
    assert sink.stop()[0] == 0
    check_evidence(sink.out)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with looking.chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def visit(chromium, sink):
    """Opens an address of the page, of an honest sink with an empty inbox."""
    sink.http("DELETE", "/plan")
    sink.http("DELETE", "/mails")
    looking.look_as(chromium, looking.DESKTOP)
    looking.complaints(chromium)

    def go(at: str = "#inbox", port: int = sink.control_port):
        chromium.get("about:blank")
        chromium.get(f"http://127.0.0.1:{port}/{at}")
        return chromium

    yield go
    chromium.get("about:blank")


@pytest.fixture
def see(chromium, until) -> Callable[[str, str], None]:
    """Waits for words at a place of the page."""

    def wait(selector: str, words: str) -> None:
        until(lambda: words in looking.text_of(chromium, selector), SOON_S, f"{words!r} at {selector}")

    return wait


def deliver(sink: Sink, *raws: bytes) -> None:
    with sink.client() as client:
        for raw in raws:
            client.sendmail("from@client.test", "to@sink.test", raw)


def newest(sink: Sink) -> int:
    return sink.http("GET", "/mails?limit=1")[1]["mails"][0]["mail"]


def rows(browser) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll('#mails > li')].map(one => one.innerText)"
    )


def click(browser, words: str) -> None:
    browser.find_element(By.XPATH, f"//main//button[normalize-space()='{words}']").click()


def test_a_new_mail_appears_without_reloading(visit, sink, see):
    browser = visit()
    see("#state", "Live")
    see("#mails-none", f'smtplib.SMTP("127.0.0.1", {sink.smtp_port})')
    browser.execute_script("window.unreloaded = true")
    deliver(sink, mail("live-1", subject="The first"))
    see("#mails", "The first")
    deliver(sink, mail("live-2", subject="The second", attempt=2))
    see("#mails > li:first-child", "The second")
    assert "Attempt 2" in rows(browser)[0]
    assert looking.text_of(browser, "#count") == "2"
    assert browser.execute_script("return window.unreloaded") is True
    assert looking.complaints(browser) == []


def test_what_an_html_mail_carries_neither_runs_nor_loads(visit, sink, see, until):
    with socket.create_server(("127.0.0.1", 0)) as far:
        far.setblocking(False)
        deliver(sink, with_html(f"http://127.0.0.1:{far.getsockname()[1]}"))
        browser = visit(f"#mail/{newest(sink)}")
        until(lambda: browser.find_elements(By.CSS_SELECTOR, "iframe.html"), what="the frame")
        frame = browser.find_element(By.CSS_SELECTOR, "iframe.html")
        assert frame.get_attribute("sandbox") == ""
        browser.switch_to.frame(frame)
        done = "return document.readyState === 'complete' && [...document.images].every(one => one.complete)"
        until(lambda: browser.execute_script(done), what="the mail in its frame")
        widths = browser.execute_script("return [...document.images].map(one => one.naturalWidth)")
        color = browser.execute_script("return getComputedStyle(document.querySelector('h1')).color")
        title = browser.execute_script("return document.title")
        browser.find_element(By.XPATH, "//a[.='Track it']").click()
        browser.switch_to.default_content()
        assert (widths, color, title) == ([0, 1], "rgb(1, 2, 3)", "")
        assert "hit" not in browser.title
        # The subject is only text.
        see("#mail h2", "onerror=")
        assert browser.find_elements(By.CSS_SELECTOR, "#mail img, #mails img") == []
        # Not even a connection in advance.
        with pytest.raises(BlockingIOError):
            far.accept()
    looking.complaints(browser)


def test_each_view_of_a_mail(visit, sink, see):
    deliver(sink, with_html("http://127.0.0.1:9"))
    number = newest(sink)
    browser = visit(f"#mail/{number}/text")
    see("#mail .body", "plain <b>text</b>")
    see("#mail .facts", "from@client.test → to@sink.test")
    for tab, words in [
        ("Headers", "multipart/mixed"),
        ("Source", "Content-Transfer-Encoding: base64"),
        ("HTML", "without scripts"),
    ]:
        browser.find_element(By.LINK_TEXT, tab).click()
        see("#mail .body", words)
    assert browser.current_url.endswith(f"#mail/{number}/html")
    link = browser.find_element(By.CSS_SELECTOR, "#mail .file")
    assert (link.text, link.get_attribute("download")) == ("a b.png image/png, 2 B", "a b.png")
    assert get(sink, link.get_dom_attribute("href"))[2] == b"\0\1"
    browser.back()
    see("#mail .body", "Content-Transfer-Encoding: base64")
    browser.get(f"{browser.current_url.split('#')[0]}#mail/999999")
    see("#mail", "not in the inbox")


def test_a_duplicate_is_marked_in_words(visit, sink, see):
    browser = visit()
    deliver(sink, mail("alone"))
    sink.plan(Rule("store_twice"))
    deliver(sink, mail("twice"))
    see("#mails > li:nth-child(1)", "copy 2 of 2")
    see("#mails > li:nth-child(2)", "copy 1 of 2")
    assert "copy" not in rows(browser)[2]
    last = newest(sink)
    browser.find_element(By.CSS_SELECTOR, f'a[href="#mail/{last}"]').click()
    see("#mail .note", "stored 2 times")
    browser.find_element(By.LINK_TEXT, f"mail {last - 1}").click()
    see("#mail .badges", "copy 1 of 2")


def test_a_long_list_stays_short_and_still_where_it_is_read(visit, sink, see):
    deliver(sink, *(mail(f"long-{number}", subject=f"Mail {number} of many") for number in range(70)))
    browser = visit()
    see("#mails", "Mail 69 of many")
    assert len(rows(browser)) == 50
    browser.find_element(By.ID, "more").click()
    see("#mails > li:last-child", "Mail 0 of many")
    browser.execute_script("document.getElementById('mails-scroll').scrollTop = 500")
    first = rows(browser)[0]
    deliver(sink, *(mail(f"more-{number}", subject=f"Later {number}") for number in range(180)))
    see("#fresh", "180 new")
    assert rows(browser)[0] == first
    browser.find_element(By.ID, "fresh").click()
    see("#mails > li:first-child", "Later 179")
    deliver(sink, *(mail(f"flood-{number}", subject=f"Flood {number}") for number in range(220)))
    see("#mails > li:first-child", "Flood 219")
    assert len(rows(browser)) == 200
    browser.find_element(By.ID, "words").send_keys("LATER 17")
    see("#shown", "11 found")
    assert "Later 179" in rows(browser)[0]


def test_emptying_the_inbox_asks_first(visit, sink, see):
    deliver(sink, mail("kept"))
    browser = visit()
    see("#mails", "Your order")
    click(browser, "Empty the inbox")
    browser.find_element(By.XPATH, "//dialog//button[.='Keep the mails']").click()
    assert len(rows(browser)) == len(sink.http("GET", "/mails")[1]["mails"]) == 1
    click(browser, "Empty the inbox")
    browser.find_element(By.XPATH, "//dialog//button[.='Empty it']").click()
    see("#mails-none", "No mail yet")
    assert sink.http("GET", "/mails")[1]["mails"] == []


def test_buttons_and_editor_put_a_plan_in_force(visit, sink, see):
    browser = visit("#plan")
    see("#sentences", "honest server")
    click(browser, "Cut after the dot")
    see("#banner", "drop_after_dot")
    see(
        "#sentences",
        "SMTPServerDisconnected after the dot. The mail is stored; a plain retry makes a duplicate.",
    )
    assert [rule["fault"] for rule in sink.http("GET", "/plan")[1]["rules"]] == ["drop_after_dot"]
    browser.find_element(By.ID, "editor").send_keys('{"rules": [{"fault": "nonsense"}]}')
    browser.find_element(By.ID, "put").click()
    see("#plan-said", "rule 0: unknown fault 'nonsense'")
    assert [rule["fault"] for rule in sink.http("GET", "/plan")[1]["rules"]] == ["drop_after_dot"]
    browser.find_element(By.ID, "honest").click()
    see("#sentences", "honest server")
    assert sink.http("GET", "/plan")[1]["rules"] == []
    assert looking.text_of(browser, "#banner") == ""
    # A plan that somebody else puts in force is seen as well.
    sink.plan(Rule("lose", key="run-*", count=3))
    see("#sentences", "Only mails with the key run-*; the first 3 times.")


def test_every_usual_fault_is_a_plan_that_the_sink_takes(visit, sink, see):
    browser = visit("#plan")
    see("#sentences", "honest server")
    buttons = browser.find_elements(By.CSS_SELECTOR, "[data-fault]")
    assert len(buttons) == 12
    for button in buttons:
        button.click()
        see("#banner", button.get_attribute("data-fault"))


def test_a_transcript_shows_where_the_fault_hit(visit, sink, see):
    sink.plan(Rule("torn_reply"))
    with pytest.raises(smtplib.SMTPException):
        deliver(sink, mail("torn"))
    sink.plan(Rule("auth_reject"))
    with pytest.raises(smtplib.SMTPAuthenticationError):
        deliver(sink, mail("refused"))
    browser = visit(f"#mail/{newest(sink)}/transcript")
    see("#mail .transcript .line.fault", "torn_reply")
    see("#mail .transcript .line.client", "ehlo client.test")
    browser.find_element(By.ID, "nav-sessions").click()
    see("#sessions > li:nth-child(1)", "Login refused")
    see("#sessions > li:nth-child(1)", "No mail stored")
    see("#sessions > li:nth-child(2)", "torn_reply")
    browser.find_element(By.CSS_SELECTOR, "#sessions > li:nth-child(1) a").click()
    see("#session .line.fault", "auth_reject")
    see("#session .line.server", "220")


def test_a_sink_that_comes_back_is_followed_again(visit, see, tmp_path):
    sinks = [Sink(tmp_path / "first")]
    port = sinks[0].control_port
    try:
        visit(port=port)
        see("#state", "Live")
        sinks[0].stop(signal.SIGKILL)
        see("#state", "Reconnecting")
        sinks.append(Sink(tmp_path / "again", "--control-port", str(port)))
        deliver(sinks[1], mail("again", subject="After the break"))
        see("#mails", "After the break")
        see("#state", "Live")
    finally:
        for sink in sinks:
            sink.stop(signal.SIGKILL)


def test_with_the_keyboard_alone(visit, sink, see):
    deliver(sink, mail("k-1", subject="Older"), mail("k-2", subject="Newer"))
    browser = visit()
    see("#mails", "Newer")

    def press(*keys):
        for key in keys:
            browser.switch_to.active_element.send_keys(key)

    press(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the content"
    press(Keys.ENTER, Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB)
    assert "Newer" in browser.switch_to.active_element.text
    press(Keys.ARROW_DOWN, Keys.ENTER)
    see("#mail h2", "Older")
    assert "Older" in browser.switch_to.active_element.text
    deliver(sink, mail("k-3", subject="Newest"))
    see("#mails", "Newest")
    assert "Older" in browser.switch_to.active_element.text
    assert browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_every_view_fits_a_phone_and_keeps_nobody_out(visit, sink, see):
    deliver(sink, with_html("http://127.0.0.1:9"), mail("axe"), mail("axe"))
    sink.plan(Rule("tarpit", params={"delay_s": 0}))
    last = newest(sink)
    views = {
        "#inbox": ("#mails", "Your order"),
        f"#mail/{last - 2}/html": ("#mail .body", "scripts"),
        f"#mail/{last}/transcript": ("#mail .badges", "copy 2 of 2"),
        "#sessions": ("#session", "Choose"),
        "#plan": ("#about-fault", "client sees"),
    }
    faults = {}
    browser = visit("#inbox")
    for at, words in views.items():
        looking.look_as(browser, looking.PHONE)
        browser.execute_script(f"location.hash = '{at}'")
        see(*words)
        found = looking.serious_faults(browser)
        if over := looking.overflow_px(browser):
            found.append(f"{over} px too wide")
        looking.look_as(browser, looking.DESKTOP, dark=True)
        found += looking.serious_faults(browser, "color-contrast")
        if found:
            faults[at] = found
    assert faults == {}


def test_the_files_and_their_policy(sink):
    status, headers, body = get(sink, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = headers["Content-Security-Policy"]
    for rule in ("default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'"):
        assert rule in policy
    assert b"<script>" not in body
    for name, kind in [("page.js", "text/javascript"), ("page.css", "text/css"), ("index.html", "text/html")]:
        status, headers, _ = get(sink, f"/page/{name}")
        assert (status, headers["Content-Type"].split(";")[0]) == (200, kind)
        assert (headers["X-Content-Type-Options"], headers["Content-Security-Policy"]) == ("nosniff", policy)
    for path in ("/page/", "/page/none.js", "/page/..%2Fpage.py", "/page/%2e%2e/control.py"):
        assert get(sink, path)[0] == 404
    faults = sink.http("GET", "/faults")[1]["faults"]
    assert {"name", "does", "client_sees", "stored", "copies", "retry_duplicates", "defaults"} == set(
        faults[0]
    )
    assert {"greylist", "store_twice"} <= {fault["name"] for fault in faults}


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("PUT", {}, 200),
        ("PUT", {"Sec-Fetch-Site": "same-origin", "Origin": "http://sink.test:1"}, 200),
        ("PUT", {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.test"}, 403),
        ("DELETE", {"Sec-Fetch-Site": "same-site", "Origin": "http://sink.test:2"}, 403),
        ("POST", {"Origin": "http://sink.test:1"}, 200),
        ("POST", {"Origin": "http://evil.test"}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, 200),
    ],
)
def test_only_pages_of_the_sink_may_change_it(method, headers, status):
    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    request = make_mocked_request(method, "/plan", headers={"Host": "sink.test:1", **headers})
    assert asyncio.run(own_pages_only(request, handler)).status == status
