"""What readiness says of each part, and of a backlog."""

import pytest

from system.api.health import OK, checks
from system.delivery.ledger import PREFIX
from tests.integration.system.served import served


@pytest.fixture
def tools(settings):
    """Of an app with these settings."""
    with served(settings) as make:
        yield lambda **changes: make(**changes).application.extensions["mail"]


def test_a_full_backlog_is_told(tools, redis_server):
    redis_server.client.zadd(PREFIX + "due", {"a": 1, "b": 2})
    assert checks(tools(max_backlog=3))["backlog"] == OK
    assert checks(tools(max_backlog=0))["backlog"] == OK
    assert "2 jobs wait" in checks(tools(max_backlog=2))["backlog"]


def test_no_relay_is_needed_without_a_ledger_protocol(tools):
    assert checks(tools())["relay"] == "has never run"
    assert checks(tools(delivery="none"))["relay"] == OK


def test_nothing_is_raised_when_all_are_away(tools, own_redis):
    made = tools(ledger_url=own_redis.url, broker_url=own_redis.url)
    own_redis.kill()
    found = checks(made)
    assert found.keys() == {"ledger", "broker", "smtp_login", "relay", "backlog"}
    assert OK not in found.values()
