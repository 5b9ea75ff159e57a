"""Sever connections with Toxiproxy. The only module that knows Toxiproxy and its Python client.

The client has no time limits and lets server errors pass as success, so every request here is limited and
every change is read back. What cannot be healed by asking is healed by restarting the server that we own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
import toxiproxy
import toxiproxy.api

from chaos import http
from chaos.errors import HarnessError
from chaos.faults.base import Fault
from chaos.observe import Observer

REQUEST_LIMIT_S = 2.0

MODES: dict[str, tuple[dict[str, Any], ...]] = {
    # Refuses new connections and closes the open ones. No toxic: the proxy itself is switched off.
    "down": (),
    # Swallows every byte both ways and keeps the connections open: the half-open case that hangs clients.
    "silent": (
        {"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}},
        {"type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}},
    ),
    # Ends every connection at its first bytes, new ones with a real RST.
    "reset": ({"type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 0}},),
}


class _LimitedRequests:
    """Stands where the client looks for `requests`: adds a time limit, and raises for server errors."""

    def __init__(self) -> None:
        self._session = requests.Session()
        # An HTTP_PROXY of the environment has no business between us and loopback.
        self._session.trust_env = False

    def get(self, **kwargs: Any) -> requests.Response:
        return self._checked("GET", kwargs)

    def post(self, **kwargs: Any) -> requests.Response:
        return self._checked("POST", kwargs)

    def delete(self, **kwargs: Any) -> requests.Response:
        return self._checked("DELETE", kwargs)

    def _checked(self, method: str, kwargs: dict[str, Any]) -> requests.Response:
        response = self._session.request(method, timeout=REQUEST_LIMIT_S, **kwargs)
        # The client itself raises for 400, 404 and 409.
        if response.status_code >= 500:
            raise HarnessError(f"toxiproxy-server answered {response.status_code}: {response.text[:200]}")
        return response


class Network:
    """The proxies of one stack: created once, severed and restored by name."""

    def __init__(
        self, api_port: int, proxies: Mapping[str, tuple[str, str]], restart: Callable[[], None]
    ) -> None:
        """`proxies` maps a name to (listen, upstream) addresses; `restart` restarts the server, empty."""
        toxiproxy.api.requests = _LimitedRequests()
        self._client = toxiproxy.Toxiproxy()
        self._client.update_api_consumer("127.0.0.1", api_port)
        self._proxies = dict(proxies)
        self._restart = restart

    @property
    def names(self) -> list[str]:
        """All proxies."""
        return list(self._proxies)

    def create(self) -> None:
        """Create every proxy and read them back."""
        for name, (listen, upstream) in self._proxies.items():
            self._client.create(upstream=upstream, name=name, listen=listen, enabled=True)
        self.require_restored(self.names)

    def sever(self, names: list[str], mode: str) -> None:
        """Sever the named proxies; raises HarnessError when the server does not show it afterwards."""
        for name in names:
            proxy = self._proxy(name)
            if mode == "down":
                proxy.disable()
            for toxic in MODES[mode]:
                proxy.add_toxic(**toxic)
        for name in names:
            proxy = self._proxy(name)
            shown = {(toxic.type, toxic.stream, toxic.toxicity) for toxic in proxy.toxics().values()}
            asked = {(toxic["type"], toxic["stream"], 1.0) for toxic in MODES[mode]}
            if shown != asked or proxy.enabled != (mode != "down"):
                raise HarnessError(
                    f"toxiproxy-server shows {name} enabled={proxy.enabled} {shown}, not {mode}"
                )

    def restore(self, names: list[str]) -> None:
        """Ask for the end of every fault on the named proxies."""
        for name in names:
            proxy = self._proxy(name)
            for toxic in list(proxy.toxics()):
                proxy.destroy_toxic(toxic)
            if not proxy.enabled:
                proxy.enable()

    def restored(self, names: list[str]) -> bool:
        """Read back: enabled and without a toxic."""
        proxies = self._client.proxies()
        return all(name in proxies and proxies[name].enabled and not proxies[name].toxics() for name in names)

    def require_restored(self, names: list[str]) -> None:
        """Raise HarnessError unless the named proxies are whole."""
        if not self.restored(names):
            raise HarnessError("toxiproxy-server does not show the proxies as they were asked for")

    def rebuild(self) -> None:
        """The forced path: restart the server that we own and create the proxies anew, on the same ports."""
        self._restart()
        self.create()

    def _proxy(self, name: str) -> Any:
        proxy = self._client.get_proxy(name)
        if proxy is None:
            raise HarnessError(f"toxiproxy-server knows no proxy {name}")
        return proxy


class Sever(Fault):
    """Sever some connections in one of the `MODES`; it has bitten when the mail stops flowing."""

    what = "sever"

    def __init__(
        self,
        name: str,
        network: Network,
        proxies: list[str],
        mode: str,
        observer: Observer,
        what: str = what,
    ) -> None:
        super().__init__(name)
        self.kind = f"{what}-{mode}"
        self._network = network
        self._proxies = proxies
        self._mode = mode
        self._observer = observer
        self._since = 0.0

    def undo_entry(self) -> tuple[str, dict[str, Any]]:
        """From another process: reset the whole Toxiproxy server."""
        return "toxiproxy", {"api_port": toxiproxy.api.APIConsumer.port}

    def inject(self) -> str:
        """Sever the proxies."""
        self._network.sever(self._proxies, self._mode)
        self._since = time.monotonic()
        return f"{self._mode}: {', '.join(self._proxies)}"

    def bite(self) -> str | None:
        """No mail reached the sink for a window in which at least ten would have."""
        window_s = self._observer.window_for(mails=10)
        if time.monotonic() - self._since < window_s or self._observer.stored_in_last(window_s) > 0:
            return None
        expected = self._observer.steady_rate_per_s * window_s
        return f"no mail stored for {window_s:.1f} s where the steady rate gives {expected:.0f}"

    def heal(self) -> None:
        """Ask Toxiproxy to end it."""
        self._network.restore(self._proxies)

    def healed(self) -> str | None:
        """Read back from Toxiproxy."""
        if not self._network.restored(self._proxies):
            return None
        return f"enabled and without toxics: {', '.join(self._proxies)}"

    def force(self) -> None:
        """Restart Toxiproxy and create all proxies anew."""
        self._network.rebuild()


def undo_toxiproxy(params: dict[str, Any]) -> str | None:
    """Undo from the journal: reset the server. One that is gone severs nothing, which is also fine."""
    try:
        answer = http.request("POST", f"http://127.0.0.1:{params['api_port']}/reset", REQUEST_LIMIT_S)
    except requests.ConnectionError:
        return None
    return None if answer.status_code == 204 else f"toxiproxy-server answered {answer.status_code} to a reset"
