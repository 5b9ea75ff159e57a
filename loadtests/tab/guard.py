"""Who may use the tab: pages of Locust itself, opened under an address that nobody can have rebound.

Asked before every request of the tab. Locust lets any origin read its own pages; these start and stop faults.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

SAFE = ("GET", "HEAD")


def refusal(method: str, headers: Mapping[str, str], own_host: str = "") -> tuple[str, int] | None:
    """Return words and a status for a request that may not be; `own_host` is what --web-host says."""
    host = headers.get("Host", "")
    if not _ours(host, own_host):
        return f"this page is not known as {host!r} here: open it by its IP address or its host name", 403
    origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
    if origin is not None and urlsplit(origin).netloc != host:
        return "a page of another origin may not use this", 403
    if site not in (None, "same-origin", "none"):
        return "a page of another site may not use this", 403
    if method not in SAFE and headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
        return "send JSON, with Content-Type: application/json", 415
    return None


def _ours(host: str, own_host: str) -> bool:
    """Whether no stranger can own this name: a number, one without a dot, or what this machine is called."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and ("." not in name or name in (own_host.lower(), socket.gethostname().lower()))
    return True
