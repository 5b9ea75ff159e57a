"""The settings in effect are all there, and no secret of them is."""

import pytest

from system.effective import describe, mask_url, secrets_of
from system.settings import Settings


def test_each_setting_has_its_line_and_the_changed_ones_a_mark(settings, monkeypatch):
    # Set by whoever counts in this process.
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    lines = describe(settings(lease_s=40)).splitlines()[1:]
    assert {line[2:].partition("=")[0] for line in lines} == {name.upper() for name in Settings.model_fields}
    assert [line for line in lines if line.startswith("*")] == ["* LEASE_S=40.0"]


def test_no_secret_is_shown(settings):
    text = describe(
        settings(
            ledger_url="rediss://me:gheim-1@db:6379/0",
            broker_url="amqps://me:gheim%2F2@mq/host",
            receipts_url="https://u:gheim-3@r/x",
            smtp_password="gheim-4",
            api_key="gheim-5",
        )
    )
    assert "gheim" not in text
    assert "LEDGER_URL=rediss://me:***@db:6379/0" in text
    assert "API_KEY=***" in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:p@ss@h/0", "redis://:***@h/0"),
        ("unix:///run/r.sock?db=1&password=pp", "unix:///run/r.sock?db=1&password=***"),
        ("amqp://u@h//", "amqp://u@h//"),
        ("redis://[bad", "***"),
    ],
)
def test_addresses_lose_their_passwords_only(url, shown):
    assert mask_url(url) == shown


def test_secrets_are_known_as_written_and_decoded(settings):
    found = secrets_of(settings(broker_url="amqp://u:a%2Fb@h/", ledger_url="redis://h/0?password=qq"))
    assert found == {"a%2Fb", "a/b", "qq"}
