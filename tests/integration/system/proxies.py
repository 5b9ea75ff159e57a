"""A real toxiproxy-server, and proxies in it that a test severs and heals."""

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from tests.conftest import need
from tests.integration.system.conftest import free_port

OURS = Path(__file__).parents[3] / ".tools" / "bin" / "toxiproxy-server"
LIMIT_S = 5
SILENT = {"name": "silent", "type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}}


class Toxiproxy:
    def __init__(self):
        binary = shutil.which("toxiproxy-server") or (str(OURS) if OURS.exists() else None)
        need(binary, "toxiproxy-server")
        self._port = free_port()
        command = [binary, "-host", "127.0.0.1", "-port", str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def up(self):
        assert self._process.poll() is None, "toxiproxy-server ended"
        try:
            return self.ask("GET", "/version")
        except urllib.error.URLError:
            return None

    def ask(self, method, path, data=None):
        body = None if data is None else json.dumps(data).encode()
        url = f"http://127.0.0.1:{self._port}{path}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return json.loads(answer.read() or b"{}")

    def stop(self):
        self._process.terminate()
        self._process.wait(LIMIT_S)


class Proxy:
    """One server behind the proxy; `url` goes through it."""

    def __init__(self, toxiproxy, name, server):
        self._toxiproxy, self._path = toxiproxy, f"/proxies/{name}"
        wanted = {"name": name, "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{server.port}"}
        self.url = f"redis://{toxiproxy.ask('POST', '/proxies', wanted)['listen']}/0"

    def sever(self, how):
        """`down`: connections are closed and refused. `silent`: what is asked is done, no answer comes."""
        if how == "down":
            self._toxiproxy.ask("POST", self._path, {"enabled": False})
        else:
            self._toxiproxy.ask("POST", f"{self._path}/toxics", SILENT)

    def cut(self, stream, after_bytes):
        """Closes each connection once so much has passed; `stream`: upstream (requests) or downstream."""
        toxic = {"name": "cut", "type": "limit_data", "stream": stream, "attributes": {"bytes": after_bytes}}
        self._toxiproxy.ask("POST", f"{self._path}/toxics", toxic)

    def heal(self, how):
        if how == "down":
            self._toxiproxy.ask("POST", self._path, {"enabled": True})
        else:
            self._toxiproxy.ask("DELETE", f"{self._path}/toxics/{how}")
