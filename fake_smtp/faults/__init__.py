"""The registry of faults: one small file each, known by its name in plans, metrics and evidence.

Asked by the decider to turn a rule into a fault. To add one, copy `noop.py` and list it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fake_smtp.faults.auth_421 import Auth421
from fake_smtp.faults.auth_dropped import AuthDropped
from fake_smtp.faults.auth_reject import AuthReject
from fake_smtp.faults.auth_slow import AuthSlow
from fake_smtp.faults.bandwidth import Bandwidth
from fake_smtp.faults.banner_421 import Banner421
from fake_smtp.faults.base import Answer, Fault
from fake_smtp.faults.certificate_expired import CertificateExpired
from fake_smtp.faults.certificate_wrong_host import CertificateWrongHost
from fake_smtp.faults.credentials_rotated import CredentialsRotated
from fake_smtp.faults.drop_after_dot import DropAfterDot
from fake_smtp.faults.drop_before_dot import DropBeforeDot
from fake_smtp.faults.ehlo_refused import EhloRefused
from fake_smtp.faults.error_after_store import ErrorAfterStore
from fake_smtp.faults.greylist import Greylist
from fake_smtp.faults.late_reply import LateReply
from fake_smtp.faults.lose import Lose
from fake_smtp.faults.noop import Noop
from fake_smtp.faults.quit_421 import Quit421
from fake_smtp.faults.refuse_connection import RefuseConnection
from fake_smtp.faults.sender_not_allowed import SenderNotAllowed
from fake_smtp.faults.slow_banner import SlowBanner
from fake_smtp.faults.starttls_dropped import StarttlsDropped
from fake_smtp.faults.starttls_garbage import StarttlsGarbage
from fake_smtp.faults.starttls_hanging import StarttlsHanging
from fake_smtp.faults.starttls_refused import StarttlsRefused
from fake_smtp.faults.store_twice import StoreTwice
from fake_smtp.faults.tarpit import Tarpit
from fake_smtp.faults.tempfail import Tempfail
from fake_smtp.faults.torn_reply import TornReply
from fake_smtp.faults.unterminated_reply import UnterminatedReply
from fake_smtp.plan import PlanError

__all__ = ["FAULTS", "Answer", "Fault", "make"]

FAULTS: dict[str, type[Fault]] = {
    fault.name: fault
    # In the order of a conversation.
    for fault in (
        Noop,
        RefuseConnection,
        Banner421,
        SlowBanner,
        EhloRefused,
        StarttlsRefused,
        StarttlsDropped,
        StarttlsGarbage,
        StarttlsHanging,
        CertificateWrongHost,
        CertificateExpired,
        AuthReject,
        Auth421,
        AuthSlow,
        AuthDropped,
        CredentialsRotated,
        SenderNotAllowed,
        Tempfail,
        Greylist,
        Tarpit,
        Bandwidth,
        DropBeforeDot,
        DropAfterDot,
        TornReply,
        UnterminatedReply,
        LateReply,
        ErrorAfterStore,
        Quit421,
        Lose,
        StoreTwice,
    )
}


def make(name: str, params: Mapping[str, Any]) -> Fault:
    """Build the fault of that name. Raises PlanError for an unknown name or unusable params."""
    if name not in FAULTS:
        raise PlanError(f"unknown fault {name!r}; known are {', '.join(sorted(FAULTS))}")
    return FAULTS[name](params)
