"""break-smtp-login: the provider rejects the credentials for a while, for good (535) and for now (454).

Not one mail's fault: nothing may fail or be lost, and the sender must not hammer the server meanwhile.
"""

from __future__ import annotations

from chaos.scenarios.base import Scenario
from chaos.stage import Stage
from fake_smtp.plan import Rule

HOLD_S = 4.0


def story(stage: Stage) -> None:
    """Reject every login with 535 for a while, let the system recover, then the same with 454."""
    for code in (535, 454):
        stage.break_smtp(Rule(fault="auth_reject", params={"code": code}), HOLD_S)
        stage.after_mails(int(stage.plan.rate_per_s))
    stage.rest_of_flood()


SCENARIO = Scenario(
    name="break-smtp-login",
    summary="SMTP credentials rejected for a while, with 535 and with 454",
    rate_per_s=60,
    duration_s=20,
    story=story,
    expect_faults=("smtp-auth-reject",),
)
