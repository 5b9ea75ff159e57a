"""lying-sink: the server answers 250 and throws mails away, then stores mails twice.

No sender can notice either, so every system fails here: this run is a test of the judge.
"""

from __future__ import annotations

from chaos.scenarios.base import Scenario
from chaos.stage import Stage
from fake_smtp.plan import Rule

SHARE = 0.1


def story(stage: Stage) -> None:
    """Lose a share of the mails for a quarter of the flood, then store a share of them twice."""
    for fault in ("lose", "store_twice"):
        stage.break_smtp(Rule(fault=fault, probability=SHARE), stage.plan.duration_s / 4)
        stage.after_mails(int(stage.plan.rate_per_s))
    stage.rest_of_flood()


SCENARIO = Scenario(
    name="lying-sink",
    summary="mails thrown away after their 250, then mails stored twice: nobody may pass",
    rate_per_s=80,
    duration_s=20,
    story=story,
    expect_faults=("smtp-lose", "smtp-store-twice"),
)
