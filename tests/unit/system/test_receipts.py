"""Only the agreed answer counts; everything else is `cannot say`, never `not stored`."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from system.delivery.receipts import HttpReceipts


@pytest.fixture
def receipts():
    answers = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers["next"]
            answers["path"] = self.path
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    asked = HttpReceipts(f"http://127.0.0.1:{server.server_port}/receipts", 1)
    yield asked, answers
    server.shutdown()
    thread.join()
    server.server_close()


def body(**fields):
    return json.dumps({"message_id": "a@b", "copies": 1, **fields}).encode()


@pytest.mark.parametrize(
    ("status", "text", "answer"),
    [
        (200, body(stored=True), "stored"),
        (200, body(stored=False), "absent"),
        (200, body(), "unknown"),
        (200, body(stored="no"), "unknown"),
        (200, body(stored=0), "unknown"),
        (200, body(stored=False, message_id="other@b"), "unknown"),
        (200, b"[]", "unknown"),
        (200, b"not json", "unknown"),
        (200, b"\xff", "unknown"),
        (404, body(stored=False), "unknown"),
        (500, body(stored=True), "unknown"),
        (302, body(stored=False), "unknown"),
    ],
)
def test_answers(receipts, status, text, answer):
    asked, answers = receipts
    answers["next"] = (status, text)
    assert asked.ask("a@b").answer == answer
    assert answers["path"] == "/receipts/a%40b"


def test_nobody_answers():
    assert HttpReceipts("http://127.0.0.1:1/receipts", 0.5).ask("a@b").answer == "unknown"


def test_limits(receipts):
    asked, answers = receipts
    answers["next"] = (200, b'{"data_limit_s": 5, "idle_limit_s": 9}')
    assert asked.limits()["data_limit_s"] == 5
    answers["next"] = (200, b"{}")
    with pytest.raises(ValueError, match="agreed"):
        asked.limits()
