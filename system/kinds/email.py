"""`email`: one mail to one recipient, under the delivery protocol."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from system import addresses
from system.kinds.base import Body, Kind, Text


class Email(Body):
    """One plain address, one line of subject, a text."""

    to: Annotated[str, AfterValidator(addresses.check_address)]
    subject: Annotated[str, AfterValidator(addresses.check_subject)]
    body: Text


KIND = Kind("email", Email, run=None, lane="email")
