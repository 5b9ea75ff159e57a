"""A real browser on a real server: headless Chromium, an app on a free port, and what is asked of every page.

Used by the tests of the pages. Reaches nothing but loopback.
"""

import json
import shutil
import threading
from contextlib import contextmanager

from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from werkzeug.serving import make_server

from tests.conftest import need

# So many times as often as for a user, a page looks whether anything has changed.
HURRY = 20
DESKTOP, PHONE = (1280, 900), (375, 740)
_FLAGS = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "disable-dev-shm-usage",
    "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@contextmanager
def serving(app):
    """The address of this app, served by a thread each request."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@contextmanager
def chromium(folder):
    """A browser with a profile of its own in `folder`; its console is kept, its pages' clocks run fast."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    need(binary, "chromium")
    need(driver, "chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in _FLAGS:
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={folder}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, Service(driver))
    hurry = f"const real = window.setTimeout; window.setTimeout = (what, ms) => real(what, ms / {HURRY});"
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": hurry})
    browser.set_page_load_timeout(20)
    browser.set_script_timeout(20)
    try:
        yield browser
    finally:
        browser.quit()


def look_as(browser, size, dark=False):
    """Gives the page this size, exactly, which a headless window below 500 pixels would not have."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    # Without motion no colour is ever on its way to another one when it is measured.
    likes = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in likes.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def serious_faults(browser, *rules):
    """What axe finds on this page that keeps people out, in words; with `rules` only by those."""
    found = Axe().run(browser, options={"runOnly": list(rules)} if rules else None)["violations"]
    return [
        f"{fault['id']}: {json.dumps([node['html'][:120] for node in fault['nodes']])}"
        for fault in found
        if fault["impact"] in {"serious", "critical"}
    ]


def overflow_px(browser):
    """By how much this page is wider than the screen."""
    return browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def text_of(browser, selector):
    """The text there at this moment; empty if there is no such element (it may be replaced at any time)."""
    return browser.execute_script(f"return document.querySelector({json.dumps(selector)})?.innerText ?? ''")


def complaints(browser):
    """Errors in the browser's console since the last look: blocked scripts and styles, missing files."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
