"""HTTP as the harness speaks it: to loopback, with a time limit, past any proxy that the environment names.

One session per thread, since requests' sessions are not made for several.
"""

from __future__ import annotations

import threading
from typing import Any

import requests

_local = threading.local()


def request(method: str, url: str, limit_s: float, json: object = None) -> requests.Response:
    """One request. Raises requests.RequestException when there is no answer within the limit."""
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
        _local.session.trust_env = False
    response: requests.Response = _local.session.request(method, url, json=json, timeout=limit_s)
    return response


def get(url: str, limit_s: float) -> requests.Response:
    """Ask for a page; its status is the caller's to judge."""
    return request("GET", url, limit_s)


def get_json(url: str, limit_s: float) -> dict[str, Any]:
    """Ask for a JSON object. Raises requests.RequestException for any answer that is not one."""
    response = get(url, limit_s)
    response.raise_for_status()
    return dict(response.json())


def answers(url: str, limit_s: float = 2.0) -> bool:
    """True when the page is there."""
    try:
        return bool(get(url, limit_s).ok)
    except requests.RequestException:
        return False
