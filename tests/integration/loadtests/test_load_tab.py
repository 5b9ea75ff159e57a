"""The Delivery tab of Locust's page, with a system that was started by hand: a real sink, and no harness."""

import pytest
import requests
from load_delivery import Delivery
from load_standin import _write
from test_load_web import Web

from tests.integration.system.browser import DESKTOP, PHONE, chromium, complaints, look_as, overflow_px

TAB = "mailstorm-delivery"


class System(Delivery):
    """Says in /metrics what is due, as the real one does."""

    async def _answer(self, seen, writer):
        if seen.path == "/metrics":
            return _write(
                writer, 200, 'mail_jobs_due 0.0\nmail_jobs_held 0.0\nmail_jobs{state="in_doubt"} 0.0\n'
            )
        return await super()._answer(seen, writer)


class Page(Web):
    """Locust with the tab, as its own page uses it."""

    def state(self):
        return requests.get(f"{self.base}/delivery/state", timeout=10).json()

    def figure(self, name):
        return next(each["value"] for each in self.state()["figures"] if each["name"] == name)

    def clock(self, name):
        faults = self.state()["faults"]
        return faults[-1][name] if faults else None

    def flows(self):
        """Mails have been delivered for some seconds: there is a rate to come back to."""
        return sum(bool(sample[3]) for sample in self.state()["samples"]) >= 3

    def post(self, path, **body):
        return requests.post(f"{self.base}/delivery/{path}", json=body, timeout=30)


@pytest.fixture
def page(sink, tmp_path):
    system = System(sink)
    made = Page(tmp_path, system, "--sink", f"http://127.0.0.1:{sink.control_port}", "--mix", "email")
    yield made
    made.process.terminate()
    made.process.wait(30)
    system.close()


def plan(sink):
    return requests.get(f"http://127.0.0.1:{sink.control_port}/plan", timeout=10).json()["rules"]


def test_figures_faults_and_healing_without_a_harness(page, sink):
    page.swarm()
    page.until(page.flows)
    assert page.post("faults/smtp-store-twice", hold_s=60).json() == {"started": "smtp-store-twice"}
    assert plan(sink)[0]["until_s"] == 60, "it ends by itself, should Locust die"
    page.until(lambda: page.clock("bite_s"))
    page.until(lambda: page.figure("duplicates") > 0)
    busy = page.post("faults/smtp-lose")
    assert (busy.status_code, "is going on" in busy.json()["error"]) == (409, True)
    assert page.post("heal").json()["healed"] == ["store-twice-1"]
    assert plan(sink) == []
    page.until(lambda: page.clock("recovered_s"))
    for path, status, words in (
        ("scenarios/calm", 409, "python -m chaos up"),
        ("faults/smtp-nothing", 404, "there are: smtp-noop"),
        ("faults/smtp-tempfail", 422, "hold_s"),
    ):
        answer = page.post(path, hold_s=0)
        assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text
    page.post("faults/smtp-tarpit", hold_s=60)
    page.until(lambda: page.clock("bite_s"))
    page.stop()
    page.until(lambda: plan(sink) == [])
    assert page.state()["running"] is None
    page.until(lambda: page.figure("lost") == 0)
    assert page.post("faults/smtp-lose", hold_s=60).ok
    assert plan(sink)
    page.process.terminate()
    assert page.process.wait(30) == 0
    assert plan(sink) == []


def test_without_a_sink_each_missing_part_says_what_brings_it(standin, tmp_path):
    page = Page(tmp_path, standin())
    try:
        page.swarm()
        page.until(lambda: page.figure("accepted") > 10)
        cards = {each["name"]: each for each in page.state()["figures"]}
        assert cards["delivered"]["value"] is None
        assert "--sink" in cards["delivered"]["words"]
        assert "--sink" in page.post("faults/smtp-lose").json()["error"]
        catalogue = requests.get(f"{page.base}/delivery/catalogue", timeout=10).json()
        assert "--chaos" in catalogue["why_not"]
        assert page.post("heal").json()["healed"] == []
        refused = requests.post(
            f"{page.base}/delivery/heal", json={}, headers={"Origin": "http://evil.example"}, timeout=10
        )
        assert refused.status_code == 403
    finally:
        page.process.terminate()
        page.process.wait(30)


class Person:
    """Who uses the page in a real browser."""

    def __init__(self, browser, page):
        self.browser, self.page = browser, page

    def do(self, script, *given):
        return self.browser.execute_script(
            f"const tab = document.querySelector('{TAB}')?.shadowRoot; {script}", *given
        )

    def sees(self, selector, words):
        found = "[...(tab?.querySelectorAll(arguments[0]) ?? [])]"
        script = f"return {found}.map((each) => each.textContent).join(' ')"
        self.page.until(lambda: words in self.do(script, selector))

    def click(self, words, within="document"):
        """Press what says so, as soon as it is there and can be pressed."""
        script = f"""
            const found = [...({within}?.querySelectorAll('button, [role=tab]') ?? [])].find((each) =>
              each.textContent.trim().toLowerCase() === arguments[0] && !each.disabled);
            found?.click();
            return Boolean(found);"""
        self.page.until(lambda: self.do(script, words.lower()))

    def choose(self, fault, hold_s):
        script = """
            const choice = tab?.getElementById('fault');
            if (!choice) return false;
            choice.value = arguments[0];
            choice.dispatchEvent(new Event('change'));
            tab.querySelector('[name=hold_s]').value = arguments[1];
            return true;"""
        self.page.until(lambda: self.do(script, fault, hold_s))


def test_a_person_loads_breaks_heals_and_stops_in_the_browser(page, sink, tmp_path):
    with chromium(tmp_path / "profile") as browser:
        person = Person(browser, page)
        look_as(browser, DESKTOP)
        browser.get(f"{page.base}/")
        page.until(lambda: person.do("return document.querySelector('[name=rate]')?.value") == "40")
        person.click("start")
        person.click("delivery")
        person.sees("#now", "running")
        page.until(page.flows)
        person.choose("smtp-store-twice", "60")
        person.click("start fault", "tab")
        person.sees("#now", "fault smtp-store-twice")
        person.sees(".fault title", "store-twice-1")
        person.sees("#clocks td", "broken now")
        person.sees(".card.bad dt", "Duplicates")
        # React draws its own page anew; the tab must still be there afterwards, and alone.
        person.click("statistics")
        page.until(lambda: not person.do("return document.querySelectorAll(arguments[0]).length", TAB))
        browser.get(f"{page.base}/?tab=delivery")
        person.sees("#clocks td", "broken now")
        person.click("heal everything", "tab")
        person.sees("#message", "Healed and read back: store-twice-1")
        person.sees("#clocks td", "recovered")
        assert plan(sink) == []
        for dark in (False, True):
            look_as(browser, PHONE, dark)
            assert overflow_px(browser) == 0
        look_as(browser, DESKTOP)
        person.click("stop")
        person.sees("#now", "stopped")
        assert complaints(browser) == []
