"""The transport asks once per call, whatever the connection does; geventhttpclient by itself would not."""

import contextlib
import socket
import threading
import time

import pytest

from loadtests.jobs import make
from loadtests.outcomes import Answer
from loadtests.transport import Transport


@pytest.fixture
def reach(standin):
    made = []

    def make_transport(script, timeout_s=2.0):
        api = standin(script)
        made.append(Transport(api.url + "/", timeout_s))
        return api, made[-1]

    yield make_transport
    for each in made:
        each.close()


@pytest.mark.parametrize("what", ["close", "reset"])
@pytest.mark.parametrize("method", ["post", "status"])
def test_a_broken_request_is_sent_once(reach, what, method):
    api, transport = reach(lambda *_: what)
    with pytest.raises(Exception, match=r"closed|reset"):
        transport.post(make("r", 1, 0)) if method == "post" else transport.status("j1")
    assert (len(api.seen), api.connections) == (1, 1)


def test_a_redirect_is_an_answer(reach):
    api, transport = reach(lambda *_: "redirect")
    assert transport.post(make("r", 1, 0)).status == 307
    assert len(api.seen) == 1


def test_a_silent_server_costs_the_limit(reach):
    api, transport = reach(lambda *_: "hold", timeout_s=0.3)
    with pytest.raises(TimeoutError, match=r"no answer within 0\.3 s"):
        transport.post(make("r", 1, 0))
    assert len(api.seen) == 1


def test_an_answer_in_drops_is_not_waited_for_longer_than_the_limit():
    def drip(listener):
        sock, _ = listener.accept()
        with sock, contextlib.suppress(OSError):
            sock.sendall(b"HTTP/1.1 202 Accepted\r\nX-Long: ")
            while True:
                sock.sendall(b"x")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        dripping = threading.Thread(target=drip, args=(listener,))
        dripping.start()
        transport = Transport(f"http://127.0.0.1:{listener.getsockname()[1]}", 0.4)
        began = time.monotonic()
        with pytest.raises(TimeoutError, match=r"no answer within 0\.4 s"):
            transport.post(make("r", 1, 0))
        assert time.monotonic() - began < 2.0
        transport.close()
        dripping.join(10)


def test_a_cut_answer_keeps_its_status(reach):
    _, transport = reach(lambda *_: "cut202")
    assert transport.post(make("r", 1, 0)) == Answer(202, None)


def test_a_connection_closed_while_idle_is_replaced_unseen(reach):
    api, transport = reach(lambda *_: "accept")
    assert transport.post(make("r", 1, 0)).status == 202
    api.drop_connections()
    assert transport.post(make("r", 1, 1)).status == 202
    assert (len(api.seen), api.connections) == (2, 2)


def test_ids_are_quoted(reach):
    api, transport = reach(lambda *_: "accept")
    transport.status("a/b c")
    assert api.seen[0].path == "/jobs/a%2Fb%20c"


@pytest.mark.parametrize("target", ["", "127.0.0.1:5000", "ftp://x", "http://"])
def test_wrong_targets(target):
    with pytest.raises(ValueError, match="an address such as"):
        Transport(target)
