"""`python -m system check` against real servers: what is wrong is said of the part that is wrong, in time."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time

import amqp
import pytest
import redis
import trustme

from tests.integration.system.conftest import free_port
from tests.integration.system.rabbit import PASSWORD, USER
from tests.integration.system.sink import Sink

SECRET = "s3cret-of-redis"
LIMIT_S = 20


@pytest.fixture(scope="module")
def guarded_redis(tmp_path_factory):
    """A Redis that wants a password, plain and over TLS, and keeps nothing on disk."""
    folder = tmp_path_factory.mktemp("guarded")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    own = authority.issue_cert("127.0.0.1", "localhost")
    own.private_key_pem.write_to_path(folder / "key.pem")
    own.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    port, tls_port = free_port(), free_port()
    command = [shutil.which("redis-server"), "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    command += ["--requirepass", SECRET, "--dir", str(folder), "--maxmemory-policy", "allkeys-lru"]
    command += ["--tls-port", str(tls_port), "--tls-auth-clients", "no"]
    command += ["--tls-cert-file", f"{folder}/cert.pem", "--tls-key-file", f"{folder}/key.pem"]
    command += ["--tls-ca-cert-file", f"{folder}/ca.pem"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port, password=SECRET)
    deadline = time.monotonic() + 10
    while True:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            assert process.poll() is None, "redis-server ended"
            assert time.monotonic() < deadline
    yield {"port": port, "tls_port": tls_port, "ca": f"{folder}/ca.pem", "client": client}
    client.close()
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def sink():
    made = Sink(data_limit_s=1)
    yield made
    made.stop()


@pytest.fixture
def silent():
    """A listener that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def check(guarded_redis, sink, tmp_path):
    def run(**changes):
        good = f"redis://:{SECRET}@127.0.0.1:{guarded_redis['port']}"
        settings = {
            "LEDGER_URL": f"{good}/0",
            "BROKER_URL": f"{good}/1",
            "SMTP_PORT": str(sink.smtp_port),
            "SMTP_TIMEOUT_S": "2",
            "RECEIPTS_URL": f"http://127.0.0.1:{sink.http_port}/receipts",
        }
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "system", "check"],
            check=False,
            env=os.environ | settings | changes,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=LIMIT_S,
        )
        assert done.stderr == ""
        assert SECRET not in done.stdout
        lines = [re.split(r"  +", line, maxsplit=2) for line in done.stdout.splitlines()]
        bad = {part: words for level, part, words in lines if level.strip() == "FAIL"}
        assert done.returncode == (1 if bad else 0)
        assert {part for _, part, _ in lines} == {"ledger", "broker", "smtp", "receipts"}
        return bad, lines, time.monotonic() - began

    return run


def test_all_is_well_but_this_redis_forgets(check, guarded_redis, sink):
    bad, lines, _ = check()
    assert bad == {}
    warnings = [words for level, part, words in lines if (level, part) == ("warn", "ledger")]
    assert [words.rpartition("set ")[2] for words in warnings] == [
        "appendonly yes in redis.conf",
        "maxmemory-policy noeviction in redis.conf",
    ]
    for number in (0, 1):
        guarded_redis["client"].select(number)
        assert guarded_redis["client"].keys("*") == []
    assert sink.mails == []


def test_wrong_and_missing_passwords(check, guarded_redis):
    port = guarded_redis["port"]
    bad, _, _ = check(
        LEDGER_URL=f"redis://:wrong@127.0.0.1:{port}/0", BROKER_URL=f"redis://127.0.0.1:{port}/1"
    )
    assert set(bad) == {"ledger", "broker"}
    assert bad["ledger"].endswith("refuses the login -> look at user and password in LEDGER_URL")
    assert bad["broker"].endswith("refuses the login -> look at user and password in BROKER_URL")


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_nothing_listens(check, scheme):
    port = free_port()
    bad, _, took_s = check(
        LEDGER_URL=f"redis://127.0.0.1:{port}/0",
        BROKER_URL=f"{scheme}://127.0.0.1:{port}/1",
        SMTP_PORT=str(port),
        RECEIPTS_URL=f"http://127.0.0.1:{port}/x",
    )
    assert set(bad) == {"ledger", "broker", "smtp", "receipts"}
    assert {words.partition(":")[0] for words in bad.values()} == {"nothing listens at 127.0.0.1"}
    assert [words.partition("look at ")[2] for words in bad.values()] == [
        "LEDGER_URL",
        "BROKER_URL",
        "SMTP_HOST, SMTP_PORT",
        "RECEIPTS_URL",
    ]
    assert took_s < 10


@pytest.mark.parametrize("scheme", ["redis", "amqps"])
def test_listeners_that_say_nothing(check, silent, scheme):
    bad, _, took_s = check(
        LEDGER_URL=f"{scheme.replace('amqp', 'redis')}://127.0.0.1:{silent}/0",
        BROKER_URL=f"{scheme}://127.0.0.1:{silent}/1",
        SMTP_PORT=str(silent),
        RECEIPTS_URL=f"http://127.0.0.1:{silent}/x",
    )
    assert set(bad) == {"ledger", "broker", "smtp", "receipts"}
    assert took_s < 15
    assert "does not answer in time" in bad["ledger"]
    assert "does not answer in time" in bad["broker"]


def test_tls_with_and_without_the_authority(check, guarded_redis):
    url = f"rediss://:{SECRET}@127.0.0.1:{guarded_redis['tls_port']}"
    urls = {"LEDGER_URL": f"{url}/0", "BROKER_URL": f"{url}/1"}
    bad, lines, _ = check(**urls, TLS_CA_FILE=guarded_redis["ca"])
    assert bad == {}
    assert lines[0][2].endswith("answers over TLS")
    bad, _, _ = check(**urls)
    assert set(bad) == {"ledger", "broker"}
    assert "TLS_CA_FILE, LEDGER_URL" in bad["ledger"]
    assert "TLS_CA_FILE, BROKER_URL" in bad["broker"]


def test_a_receiver_that_waits_longer_than_the_lease(check):
    bad, _, _ = check(LEASE_S="0.9", SMTP_DATA_LIMIT_S="0.5", SMTP_TIMEOUT_S="0.8")
    assert bad == {
        "receipts": "the receiver's data limit (1 s) is not below LEASE_S (0.9 s) "
        "-> look at LEASE_S, SMTP_DATA_LIMIT_S"
    }


def test_rabbitmq_takes_and_gives_back_or_says_why_not(check, rabbit_server):
    rabbit = rabbit_server.emptied()
    assert check(BROKER_URL=rabbit.url)[0] == {}
    connection = rabbit.connect()
    with pytest.raises(amqp.NotFound):
        connection.channel().queue_declare("email", passive=True)
    connection.close()
    bad, _, _ = check(BROKER_URL=f"amqp://{USER}:wrong@127.0.0.1:{rabbit.port}//")
    assert bad["broker"].endswith("refuses the login -> look at user and password in BROKER_URL")
    bad, lines, _ = check(BROKER_URL=rabbit.url[:-1] + "nowhere")
    assert "no such virtual host" in bad["broker"]
    assert PASSWORD not in str(lines)
