"""How large the report of a run of 100,000 jobs is, and how long a browser takes to open it.

Run by `make bench-report`. Each round is a new Chromium: the first opening in it is cold, the second warm.
Prints the times, and as its last line a JSON object with their medians.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from selenium import webdriver

from benchmarks import synthetic
from benchmarks.judge_bench import BenchError, out, say
from reports.render import write_all
from reports.verdict import judge

JOBS, ROUNDS = 100_000, 5
OPENED = "return performance.getEntriesByType('navigation')[0].loadEventEnd"


def opened_ms(page: Path) -> tuple[float, float]:
    """Milliseconds until the page has loaded, in a new browser and again in it. Raises BenchError."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        raise BenchError("chromium and chromedriver are needed on PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking"):
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        times = []
        for _ in range(2):
            browser.get(page.as_uri())
            times.append(float(browser.execute_script(OPENED)))
        return times[0], times[1]
    finally:
        browser.quit()


def main() -> int:
    """Measure, print; the exit status."""
    try:
        with tempfile.TemporaryDirectory(prefix="report-open-") as name:
            folder = Path(name) / "run"
            say(f"judging {JOBS} jobs")
            synthetic.write(folder, JOBS)
            page = write_all(folder, judge(folder))
            size_kb = page.stat().st_size / 1000
            rounds = []
            for number in range(1, ROUNDS + 1):
                rounds.append(opened_ms(page))
                say(f"round {number}: {rounds[-1][0]:.0f} ms cold, {rounds[-1][1]:.0f} ms warm")
    except (BenchError, OSError) as error:
        say(f"report_open: {error}")
        return 1
    cold_ms, warm_ms = (round(statistics.median(times)) for times in zip(*rounds, strict=True))
    out(json.dumps({"kb": round(size_kb), "cold_ms": cold_ms, "warm_ms": warm_ms}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
