"""What the settings of this process are, in words that may be shown to anybody.

Printed by every process at its start and by `python -m system settings`; `secrets_of` also keeps them out of
the logs. Never shows a password, whether it stands alone or inside an address.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from system.settings import Settings

MASK = "***"
_QUERY_SECRETS = ("password", "passwd", "pass", "secret", "token", "api_key")
_IN_QUERY = re.compile(rf"(?i)([?&](?:{'|'.join(_QUERY_SECRETS)})=)[^&#]*")
_URLS = ("ledger_url", "broker_url", "receipts_url")


def describe(settings: Settings) -> str:
    """All settings as a block of text, one a line; `*` marks those that are not the default."""
    lines = ["effective settings (* = not the default):"]
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        mark = " " if value == field.default else "*"
        lines.append(f"{mark} {name.upper()}={_shown(value)}")
    return "\n".join(lines)


def mask_url(url: str) -> str:
    """The address without its passwords: those before the `@`, and those in its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    login, at, host = parts.netloc.rpartition("@")
    if at:
        user, colon, _ = login.partition(":")
        url = url.replace(parts.netloc, f"{user}{colon and ':' + MASK}@{host}", 1)
    # geturl() would write unix:///x as unix:/x.
    return _IN_QUERY.sub(rf"\1{MASK}", url)


def secrets_of(settings: Settings) -> frozenset[str]:
    """Every text that must not be shown, as it stands in the settings and decoded."""
    found = {settings.smtp_password.get_secret_value(), settings.api_key.get_secret_value()}
    for name in _URLS:
        found |= _passwords(getattr(settings, name))
    return frozenset(found - {""})


def _passwords(url: str) -> set[str]:
    parts = urlsplit(url)
    raw = parts.netloc.rpartition("@")[0].partition(":")[2]
    hidden = {value for name, value in parse_qsl(parts.query) if name.lower() in _QUERY_SECRETS}
    return hidden | {raw, unquote(raw)}


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    text = str(value)
    return mask_url(text) if "://" in text else text
