"""A plain receiver for the process tests: stores at the dot, limits its DATA phase, answers receipts."""

import contextlib
import json
import socketserver
import threading
import time
from collections import Counter
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class _Smtp(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            self.say("220 sink")
            while line := self.rfile.readline().strip().upper():
                if line.startswith(b"EHLO"):
                    self.say("250 sink")
                elif line == b"DATA":
                    if not self.data():
                        return
                elif line == b"QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def data(self):
        sink = self.server.sink
        until = time.monotonic() + sink.data_limit_s
        self.say("354 go")
        lines = []
        while True:
            left = until - time.monotonic()
            if left <= 0:
                return False
            self.connection.settimeout(left)
            line = self.rfile.readline()
            if not line:
                return False
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b"."))
        self.connection.settimeout(None)
        message = message_from_bytes(b"".join(lines))
        stored = sink.unclear.get(message["X-Job-Key"], True)
        if stored:
            sink.store(message)
        if sink.unclear.pop(message["X-Job-Key"], None) is not None:
            return False
        self.say("250 stored")
        return True


class _Receipts(BaseHTTPRequestHandler):
    def do_GET(self):
        sink = self.server.sink
        message_id = unquote(self.path.removeprefix("/receipts").removeprefix("/"))
        copies = sink.copies[message_id]
        answer = {"message_id": message_id, "stored": copies > 0, "copies": copies}
        body = json.dumps(answer if message_id else {"data_limit_s": sink.data_limit_s, "idle_limit_s": 60})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


class _SmtpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


class _HttpServer(ThreadingHTTPServer):
    block_on_close = False


class Sink:
    """Copies by Message-ID, from start to `stop`."""

    def __init__(self, data_limit_s):
        self.data_limit_s = data_limit_s
        self.copies = Counter()
        self.mails = []
        # X-Job-Key -> whether stored: its first mail gets no reply after the dot, but a closed connection.
        self.unclear = {}
        self._lock = threading.Lock()
        self._servers = [_SmtpServer(("127.0.0.1", 0), _Smtp), _HttpServer(("127.0.0.1", 0), _Receipts)]
        for server in self._servers:
            server.sink = self
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.smtp_port, self.http_port = (server.server_address[1] for server in self._servers)

    def store(self, message):
        with self._lock:
            self.copies[message["Message-ID"].strip("<>")] += 1
            self.mails.append(message)

    def stop(self):
        for server in self._servers:
            server.shutdown()
            server.server_close()
