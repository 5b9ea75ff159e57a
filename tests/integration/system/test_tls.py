"""Both brokers behind TLS with passwords: certificates are checked, and a wrong authority is refused."""

import logging
import shutil
import subprocess
from types import SimpleNamespace

import pytest
import trustme

from system.delivery.broker import Broker, BrokerError
from system.delivery.hints import DELIVER, Hints
from system.settings import Settings
from system.worker.app import make_app
from tests.conftest import need
from tests.integration.system.conftest import free_port
from tests.integration.system.rabbit import RabbitServer

PASSWORD = "p%40ss%2Fw%3Ard"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    """The right authority, and one that signed nothing here."""
    folder = tmp_path_factory.mktemp("tls")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "other.pem")
    return SimpleNamespace(right=str(folder / "ca.pem"), wrong=str(folder / "other.pem"), folder=folder)


@pytest.fixture(scope="module")
def redis_url(authority, files):
    binary = shutil.which("redis-server")
    need(binary, "redis-server")
    certificate, port = authority.issue_cert("localhost"), free_port()
    certificate.private_key_pem.write_to_path(files.folder / "redis.key")
    certificate.cert_chain_pems[0].write_to_path(files.folder / "redis.pem")
    command = [binary, "--port", "0", "--bind", "127.0.0.1", "--tls-port", str(port), "--save", ""]
    command += ["--tls-cert-file", str(files.folder / "redis.pem"), "--tls-auth-clients", "no"]
    command += ["--tls-key-file", str(files.folder / "redis.key"), "--tls-ca-cert-file", files.right]
    command += ["--requirepass", "p@ss/w:rd", "--dir", str(files.folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    started = any("Ready to accept connections" in line for line in process.stdout)
    need(started, "redis-server with TLS")
    yield f"rediss://:{PASSWORD}@localhost:{port}/0"
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def rabbitmq_url(authority, tmp_path_factory):
    server = RabbitServer(tmp_path_factory.mktemp("rabbitmq"), authority.issue_cert("localhost"))
    yield server.tls_url
    server.close()


@pytest.fixture(params=["redis", "rabbitmq"])
def secured(request, files, until):
    """Settings for a broker that answers over TLS."""
    url = request.getfixturevalue(f"{request.param}_url")

    def make(ca_file=files.right, **changes):
        return Settings(_env_file=None, **{"broker_url": url, "tls_ca_file": ca_file, **changes})

    looker = Broker(make(), 2)
    until(lambda: answers(looker), 10, "a broker with TLS")
    looker.close()
    return make


def answers(looker):
    try:
        looker.ping()
    except BrokerError:
        return False
    return True


def test_a_hint_goes_from_us_to_celery(secured, until):
    hints, app = Hints(secured(), 2), make_app(secured(), 2)
    hints.publish(DELIVER, "a")
    with app.connection_for_read() as connection:
        got = []
        queue = app.amqp.queues["email"](connection.default_channel)
        until(lambda: got.append(queue.get(no_ack=True)) or got[-1], 5, "the hint")
    assert got[-1].decode()[0] == ["a"]
    hints.close()


def test_a_wrong_authority_is_refused_with_words(secured, files, caplog):
    settings = secured(files.wrong)
    hints, looker = Hints(settings, 2), Broker(settings, 2)
    with caplog.at_level(logging.WARNING):
        assert not hints.offer("a")
    assert "certificate verify failed" in caplog.text
    with pytest.raises(BrokerError, match="certificate verify failed"):
        looker.ping()
    with pytest.raises(Exception, match="certificate verify failed"):
        make_app(settings, 2).connection_for_read().ensure_connection(max_retries=1, timeout=2)
    for part in (hints, looker):
        part.close()


def test_without_a_file_the_systems_authorities_count(secured):
    looker = Broker(secured(""), 2)
    with pytest.raises(BrokerError, match="certificate verify failed"):
        looker.ping()
    looker.close()


def test_the_name_is_checked(secured):
    url = secured().broker_url.replace("localhost", "127.0.0.1")
    looker = Broker(secured(broker_url=url), 2)
    with pytest.raises(BrokerError, match="IP address mismatch"):
        looker.ping()
    looker.close()
