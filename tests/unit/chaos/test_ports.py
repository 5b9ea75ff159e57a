"""Ports stay ours although nothing listens on them yet."""

from __future__ import annotations

import socket

import pytest

from chaos.errors import HarnessError
from chaos.stack.ports import HOST, Ports


def test_nobody_else_gets_a_held_port_but_our_server_can_listen_on_it() -> None:
    ports = Ports()
    port = ports.take()
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind((HOST, port))
    for _ in range(2):  # a restarted server gets it again
        with socket.create_server((HOST, port)), socket.create_connection((HOST, port)):
            pass
    ports.release()


def test_a_connection_to_a_held_port_is_refused_as_if_nothing_was_there() -> None:
    ports = Ports()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, ports.take()))
    ports.release()


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(HarnessError, match=f"port {port} for the API .*stop what listens there"):
            Ports().take(port, "the API")


def test_two_stacks_never_get_the_same_port() -> None:
    first, second = Ports(), Ports()
    assert not {first.take() for _ in range(50)} & {second.take() for _ in range(50)}
    first.release()
    second.release()
