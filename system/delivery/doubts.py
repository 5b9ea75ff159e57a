"""Settles a mail in doubt: asks for its receipt, or follows the policy where nobody can be asked.

Called by deliver.py for a job whose lease ended after `sending`; by then the receiver has cut the old
conversation off, so its answer is final. Never guesses: `cannot say` keeps the doubt.
"""

from __future__ import annotations

import logging

from system.delivery.ledger import Verdict
from system.delivery.message import message_id
from system.delivery.parts import Parts
from system.failpoints import hit
from system.settings import DoubtPolicy

log = logging.getLogger(__name__)


def settle(parts: Parts, job_id: str, owner: str) -> bool:
    """Asks once, if nobody else is asking; True when the mail is to be sent again."""
    s = parts.settings
    # Connect and answer each have their time-out; the ledger's own write comes after.
    if not parts.ledger.ask(job_id, owner, 3 * s.receipts_timeout_s + 2 * s.redis_timeout_s):
        return False
    hit("doubt.before_ask")
    answer, words = _answer(parts, job_id)
    hit("doubt.after_ask")
    state = parts.ledger.verdict(job_id, owner, answer, words, parts.worker)
    hit("doubt.after_verdict")
    log.info("job %s in doubt: %s (%s), now %s", job_id, answer, words, state)
    return state == "queued"


def _answer(parts: Parts, job_id: str) -> tuple[Verdict, str]:
    if parts.receipts is not None:
        # As it was sent: a domain changed since would make the receiver deny every mail that it has.
        domain = parts.ledger.domain(job_id) or parts.settings.mail_domain
        receipt = parts.receipts.ask(message_id(job_id, domain))
        return receipt.answer, receipt.words
    if parts.settings.doubt_policy is DoubtPolicy.RESEND:
        return "resend", "nobody can be asked, DOUBT_POLICY=resend"
    return "hold", "nobody can be asked, DOUBT_POLICY=hold"
