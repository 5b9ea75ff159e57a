"""A wrong value names its variable, itself and what is allowed; a secret is never shown."""

import pytest
from pydantic import ValidationError

from system.settings import Settings, explain, get_settings


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DELIVERY", "twice", "ledger"),
        ("DOUBT_POLICY", "maybe", "hold"),
        ("SMTP_PORT", "99999", "65535"),
        ("SMTP_PORT", "http", "integer"),
        ("LEASE_S", "-1", "greater than 0"),
        ("MAIL_FROM", "a@b, c@d", "one plain address"),
        ("MAIL_DOMAIN", "a b", "letters"),
        ("RECEIPTS_URL", "ftp://x", "http"),
        ("SMTP_CA_FILE", "/no/such/file", "PEM"),
        ("FAILPOINTS", "nowhere=crash", "worker.after_lease"),
        ("SMTP_STARTTLS", "perhaps", "boolean"),
    ],
)
def test_a_wrong_value_is_explained(monkeypatch, name, value, words):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None)
    text = explain(caught.value)
    assert name in text
    assert value in text
    assert words in text


def test_a_secret_is_not_shown(monkeypatch):
    monkeypatch.setenv("LEDGER_URL", "mysql://u:geheim@db")
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None)
    text = explain(caught.value)
    assert "LEDGER_URL" in text
    assert "geheim" not in text
    assert "redis://" in text


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"smtp_data_limit_s": 8, "lease_s": 8}, "SMTP_DATA_LIMIT_S"),
        ({"smtp_timeout_s": 9, "lease_s": 8}, "SMTP_TIMEOUT_S"),
        ({"republish_max_s": 1}, "REPUBLISH_MAX_S"),
        ({"retry_cap_s": 0.5}, "RETRY_CAP_S"),
        ({"job_ttl_s": 5, "idempotency_ttl_s": 6}, "JOB_TTL_S"),
    ],
)
def test_values_that_do_not_fit_together(settings, changes, name):
    with pytest.raises(ValidationError) as caught:
        settings(**changes)
    assert f"{name}=" in explain(caught.value)


def test_the_process_ends_with_the_explanation(monkeypatch):
    get_settings.cache_clear()
    monkeypatch.setenv("LEASE_S", "soon")
    with pytest.raises(SystemExit, match=r"LEASE_S='soon'"):
        get_settings()
    get_settings.cache_clear()


def test_the_password_is_not_in_the_repr(settings):
    assert "geheim" not in repr(settings(smtp_password="geheim"))


def test_an_unknown_broker_is_refused_with_words(monkeypatch):
    """Celery would take it, and the relay would publish nothing for ever."""
    monkeypatch.setenv("BROKER_URL", "kafka://guest:geheim@rabbit")
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None)
    text = explain(caught.value)
    assert "amqps://" in text
    assert "geheim" not in text
