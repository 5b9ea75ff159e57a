"""store_twice: the mail gets one 250 and is there twice. No sender can notice; a judge must."""

from __future__ import annotations

from fake_smtp.faults.base import Fault
from fake_smtp.session import Stage


class StoreTwice(Fault):
    """Store the mail two times under one reply."""

    name = "store_twice"
    client_sees = "250"
    stored = True
    retry_duplicates = False
    copies = 2

    @property
    def stages(self) -> frozenset[Stage]:
        """When the whole mail is here, by key and attempt."""
        return frozenset({"dot"})
