"""A small HTTP server for /metrics and /health, beside a process's real work.

Started by the worker's main process and by the relay. Waits for its port in the background, because after a
SIGKILL the old owner may hold it for a moment. Never keeps its process alive.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

log = logging.getLogger(__name__)

Answer = tuple[int, str, bytes]
Page = Callable[[], Answer]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


class MetricsServer:
    """Serves `pages` (path -> function answering status, content type, body) on host:port, once started."""

    def __init__(self, host: str, port: int, pages: dict[str, Page]) -> None:
        self._address = (host, port)
        self._pages = pages
        self._server: _Server | None = None

    def start(self, patience_s: float = 15) -> None:
        """Begins in a thread; a port that stays taken for `patience_s` is logged, and ends nothing."""
        threading.Thread(target=self._run, args=(patience_s,), name="metrics", daemon=True).start()

    def close_socket(self) -> None:
        """Lets a forked child drop its copy of the listening socket, so that the port dies with its owner."""
        if self._server:
            self._server.socket.close()

    def _run(self, patience_s: float) -> None:
        until = time.monotonic() + patience_s
        while True:
            try:
                self._server = _Server(self._address, self._handler())
                break
            except OSError as error:
                if time.monotonic() > until:
                    log.error("metrics port %s cannot be had: %s", self._address, error)
                    return
                time.sleep(0.1)
        self._server.serve_forever(poll_interval=1)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pages = self._pages

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                page = pages.get(self.path.partition("?")[0])
                status, kind, body = page() if page else (404, "text/plain", b"not found\n")
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                log.debug(format, *args)

        return Handler
