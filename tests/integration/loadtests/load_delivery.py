"""A stand-in for the whole system: the scripted API, which also sends each accepted mail to a real sink.

Runs in threads of the test process. Knows nothing of the load.
"""

from __future__ import annotations

import json
import smtplib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from load_standin import Seen, StandIn, _write

from tests.integration.fake_smtp.conftest import LIMIT_S, PASSWORD, USER, Sink, mail


class Delivery(StandIn):
    """Sends `copies(key)` mails for each job once; `later` holds all of them back until `release`."""

    def __init__(self, sink: Sink, copies: Callable[[str], int] = lambda _: 1, later: bool = False) -> None:
        self.sink, self.copies = sink, copies
        self._local = threading.local()
        self._go, self._turn = threading.Event(), threading.Lock()
        self._closed = False
        self._pool = ThreadPoolExecutor(2)
        self._clients: list[smtplib.SMTP] = []
        if not later:
            self._go.set()
        super().__init__(self._take)

    def hold(self) -> None:
        """Hold back all mails from now on; return when none is under way."""
        self._go.clear()
        with self._turn:
            pass

    def use(self, sink: Sink) -> None:
        """Send to another sink."""
        self.sink, self._local = sink, threading.local()

    def release(self) -> None:
        """Send what was held back, and all that comes from now on."""
        self._go.set()

    def close(self) -> None:
        """End all threads; once more does nothing."""
        if self._closed:
            return
        self._closed = True
        self._go.set()
        self._pool.shutdown(cancel_futures=True)
        for client in self._clients:
            client.close()
        super().close()

    def _take(self, seen: Seen, number: int) -> str:
        if seen.method == "POST" and number == 1:
            suffix = "+notify" if "notify" in seen.body else ""
            self._pool.submit(self._deliver, seen.key + suffix, self.copies(seen.key))
        return "accept"

    def _deliver(self, key: str, copies: int) -> None:
        while True:
            self._go.wait()
            with self._turn:
                if self._go.is_set():
                    for attempt in range(copies):
                        self._client().sendmail("from@client.test", "to@sink.test", mail(key, attempt + 1))
                    return

    def _client(self) -> smtplib.SMTP:
        if not hasattr(self._local, "client"):
            self._local.client = smtplib.SMTP("127.0.0.1", self.sink.smtp_port, timeout=LIMIT_S)
            self._clients.append(self._local.client)
            self._local.client.login(USER, PASSWORD)
        return self._local.client

    async def _answer(self, seen: Seen, writer) -> bool:
        if seen.method != "GET":
            return await super()._answer(seen, writer)
        now_ms = int(time.time() * 1000)
        trail = [{"at_ms": now_ms - 250, "event": "accepted"}, {"at_ms": now_ms, "event": "leased"}]
        return _write(writer, 200, json.dumps({"state": "SUCCESS", "trail": trail}))
