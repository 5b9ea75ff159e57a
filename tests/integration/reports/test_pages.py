"""The report and the page over all runs in a real browser: fit for phones, paper, the dark, and everybody."""

from __future__ import annotations

import pytest
from axe_core_python.selenium import Axe

from reports import index
from reports.evidence import DELIVERIES
from reports.render import write_all
from reports.verdict import judge
from tests.integration.system import browser as looking
from tests.unit.reports.runs import Run
from tests.unit.reports.test_render_stories import crowded, stamp

PHONE = (390, 800)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with looking.chromium(tmp_path_factory.mktemp("chromium")) as found:
        found.set_script_timeout(60)  # axe looks at every element, and takes its time on a busy machine
        yield found


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs: one that failed in every way that a page shows, and one that passed."""
    root = tmp_path_factory.mktemp("runs")
    bad, good = Run.sound(6), Run.sound(6)
    bad.plan.update(scenario="sever", limits=["duplicates:count==0", "e2e_seconds:p(50)<1"])
    bad.fault()
    bad.kill(4)
    for number in range(1, 5):
        bad.find(DELIVERIES, "reply", mail=f"m{number}")["flushed"] = False
    for number in range(1, 5):
        bad.store(number, number + 0.9, attempt=2, worker="h:102")
    for run, place in ((bad, "sever/20260102T000000"), (good, "calm/20260101T000000")):
        folder = run.write(root / place)
        (folder / "logs").mkdir()
        (folder / "logs" / "worker-1.log").write_text(f"{stamp(-3)} up\n{stamp(2)} ERROR job-1 torn\n")
        write_all(folder, judge(folder))
    index.write(root)
    return root


def problems(browser, *rules):
    options = {"runOnly": list(rules)} if rules else None
    return [fault["id"] for fault in Axe().run(browser, options=options)["violations"]]


def seen(browser, selector):
    """Whether any element here takes room on the screen."""
    return browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].some(one => one.checkVisibility())",
        selector,
    )


@pytest.mark.parametrize("page", ["sever/20260102T000000/report.html", "index.html"])
def test_every_page_keeps_nobody_out_and_fits(browser, runs, page):
    for size, dark, rules in (
        (looking.DESKTOP, False, ()),
        (looking.DESKTOP, True, ("color-contrast",)),
        (PHONE, False, ("scrollable-region-focusable",)),
    ):
        looking.look_as(browser, size, dark)
        browser.get((runs / page).as_uri())
        assert problems(browser, *rules) == []
        assert looking.overflow_px(browser) <= 0
        assert looking.complaints(browser) == []


def test_the_first_screen_of_a_phone_says_what_is_wrong(browser, runs):
    looking.look_as(browser, PHONE)
    browser.get((runs / "sever/20260102T000000/report.html").as_uri())
    bottom = browser.execute_script(
        "return document.querySelector('.figures').getBoundingClientRect().bottom"
    )
    assert bottom < PHONE[1]
    assert "4 copies too many" in looking.text_of(browser, "header")
    assert seen(browser, ".picture.narrow")
    assert not seen(browser, ".picture.wide")


def test_a_key_leads_to_its_story_also_when_that_is_closed(browser, runs):
    looking.look_as(browser, looking.DESKTOP)
    browser.get((runs / "sever/20260102T000000/report.html").as_uri())
    assert not seen(browser, "#trail-4 .said")
    browser.execute_script("document.querySelector('.keys a[href=\"#trail-4\"]').click()")
    assert seen(browser, "#trail-4 .said")
    assert looking.text_of(browser, "#trail-4 tr.wrong").count("here: stored") == 1


def test_paper_shows_all_that_is_folded_away_and_nothing_to_click(browser, runs):
    looking.look_as(browser, looking.DESKTOP, dark=True)
    browser.get((runs / "sever/20260102T000000/report.html").as_uri())
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert seen(browser, "#trail-4 tr.wrong")
    assert seen(browser, "#trail-1 .log li")
    assert not seen(browser, "nav")
    paper = "return getComputedStyle(document.body).backgroundColor"
    assert browser.execute_script(paper) == "rgb(255, 255, 255)"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_filters_of_the_index_work_without_scripts(browser, runs):
    looking.look_as(browser, looking.DESKTOP)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get((runs / "index.html").as_uri())
        rows = browser.find_elements("css selector", ".runs tbody tr")
        assert [row.is_displayed() for row in rows] == [True, True]
        browser.find_element("id", "only-pass").click()
        assert [row.get_attribute("class").split()[0] for row in rows if row.is_displayed()] == ["is-fail"]
        browser.find_element("id", "only-pass").click()
        browser.find_element("id", "scenario-0").click()
        assert [row.text.split()[0] for row in rows if row.is_displayed()] == ["calm"]
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_the_fullest_report_is_light_enough_to_open_at_once(browser, tmp_path):
    folder = crowded(tmp_path / "run")
    page = write_all(folder, judge(folder))
    looking.look_as(browser, looking.DESKTOP)
    browser.get(page.as_uri())
    assert 1000 < browser.execute_script("return document.querySelectorAll('*').length") < 8000
