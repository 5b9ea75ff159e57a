"""drop-after-dot: the server stores the mail, and the connection breaks before its 250 (RFC 1047).

A sender cannot know; a plain retry duplicates, giving up may lose. Only asking the receiver helps.
"""

from __future__ import annotations

from chaos.scenarios.base import Scenario
from chaos.stage import Stage
from fake_smtp.plan import Rule

SHARE = 0.3
ROUNDS = 2


def story(stage: Stage) -> None:
    """Twice, for a quarter of the flood each, break off after the dot for a share of the mails."""
    for _ in range(ROUNDS):
        stage.break_smtp(Rule(fault="drop_after_dot", probability=SHARE), stage.plan.duration_s / 4)
        stage.after_mails(int(stage.plan.rate_per_s))
    stage.rest_of_flood()


SCENARIO = Scenario(
    name="drop-after-dot",
    summary="the connection breaks between the stored mail and its 250 (RFC 1047)",
    rate_per_s=80,
    duration_s=20,
    story=story,
    expect_faults=("smtp-drop-after-dot",),
)
