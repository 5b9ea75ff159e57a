"""Free loopback ports that stay ours.

A port that was merely free a moment ago can be taken by anybody before our server binds it, or while it
is being restarted. So each is held by a bound socket that never listens: with SO_REUSEADDR on both sides
our own server can still bind it and listen, and the kernel hands it to nobody else. Nothing is left behind.
"""

from __future__ import annotations

import socket

from chaos.errors import HarnessError

HOST = "127.0.0.1"


class Ports:
    """The ports of one stack, held until `release`."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self, wanted: int = 0, what: str = "a server") -> int:
        """A free port, or the wanted one; raises HarnessError when that is taken."""
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((HOST, wanted))
        except OSError as error:
            held.close()
            raise HarnessError(
                f"port {wanted} for {what} cannot be had ({error.strerror}): "
                "stop what listens there, or leave the port out to get a free one."
            ) from error
        self._held.append(held)
        return int(held.getsockname()[1])

    def release(self) -> None:
        """Give all ports back."""
        for held in self._held:
            held.close()
        self._held.clear()
