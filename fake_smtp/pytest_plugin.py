"""The pytest plugin: a sink for each test, and what it holds beside a test that failed.

Loaded by pytest in every run, so nothing is imported or started before a test asks. Never judges a test.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fake_smtp.client import MailSink, SinkProcess

_SINK = pytest.StashKey["MailSink"]()


@pytest.fixture(scope="session")
def mail_sink_process() -> Iterator[SinkProcess]:
    """One running sink for all tests of this process; under xdist each worker has its own."""
    from fake_smtp.client import SinkProcess  # noqa: PLC0415 - it costs time, and few runs need it

    with SinkProcess() as process:
        yield process


@pytest.fixture
def mail_sink(request: pytest.FixtureRequest, mail_sink_process: SinkProcess) -> MailSink:
    """The sink as if it were new: an empty inbox, an honest server, `counted` from zero."""
    from fake_smtp.client import MailSink  # noqa: PLC0415 - likewise

    sink = request.node.stash[_SINK] = MailSink(mail_sink_process)
    sink.reset()
    return sink


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show beside a failed test what the sink holds and does."""
    report = yield
    if report.failed and _SINK in item.stash:
        report.sections.append(("mail sink", _state(item.stash[_SINK])))
    return report


def _state(sink: MailSink) -> str:
    from fake_smtp.client import SinkError  # noqa: PLC0415 - likewise

    try:
        return sink.report()
    except SinkError as error:
        return f"{error}\n{sink.process.stderr()}".strip()
