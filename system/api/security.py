"""Who may call, from where, and what browsers are told to refuse.

Installed by the app factory before everything else. Knows no users: one key opens everything. Never writes a
key, or what was offered as one, anywhere.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix

from system.api.problems import Problem
from system.settings import Settings

# Asked by load balancers and Prometheus, which bring no key. They tell states and figures, never a job.
OPEN = frozenset({"/health", "/ready", "/metrics"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REALM = "mailstorm"

HEADERS = {
    # Bootstrap's style sheet draws its icons from data: addresses.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: browsers would then call the origin of our own forms `null`.
    "Referrer-Policy": "same-origin",
    # Answers tell of people's mail. Static files bring a Cache-Control of their own.
    "Cache-Control": "no-store",
}
HSTS = "max-age=31536000"


def install(app: Flask, settings: Settings) -> None:
    """Puts the checks before every request of `app`, and the headers on every answer."""
    if hops := settings.proxy_hops:
        # Not the host: proxies pass it on as Host, and what a client wrote into X-Forwarded-Host may remain.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    if key := settings.api_key.get_secret_value().encode():
        app.before_request(lambda: _check_key(key))
    app.before_request(_check_site)
    app.after_request(_add_headers)


def _check_key(key: bytes) -> None:
    if request.path in OPEN or hmac.compare_digest(_offered().encode(), key):
        return
    words = "send the API key as Authorization: Bearer, as X-API-Key, or as the password of Basic"
    challenges = [("WWW-Authenticate", f'{scheme} realm="{REALM}"') for scheme in ("Bearer", "Basic")]
    raise Problem(401, "unauthorized", words, headers=challenges)


def _offered() -> str:
    """What was brought as the key. An Authorization header decides alone, whatever is in it."""
    if "Authorization" not in request.headers:
        return request.headers.get("X-API-Key", "")
    given = request.authorization
    if given is not None and given.type == "bearer":
        return given.token or ""
    if given is not None and given.type == "basic":
        return given.password or ""
    return ""


def _check_site() -> None:
    """Refuses what another site makes a browser send here, with the user's password or from their network.

    After OWASP's CSRF cheat sheet: Fetch Metadata, and Origin for old browsers and over plain HTTP, where the
    former is left out (https://cheatsheetseries.owasp.org, "Cross-Site Request Forgery Prevention"). Pages
    cannot change what browsers say there, so no token has to be kept. What says neither is no browser, and
    nobody can make it act for another. `same-site` is refused too: a neighbour's page is not ours.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        allowed = site in {"same-origin", "none"}
    else:
        allowed = origin is None or _host(origin) == request.host
    if not allowed:
        raise Problem(403, "cross-site", "a browser may send this only from this site's own pages")


def _host(origin: str) -> str:
    """The host of an origin, with its port where that is not the scheme's own; empty for `null`."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return ""
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.netloc.removesuffix(f":{port}") if port == usual else parts.netloc


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", HSTS)
    return response
