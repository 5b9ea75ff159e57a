"""kill-workers: SIGKILL whole worker groups and single pool children, repeatedly, in mid-mail.

The sink takes its time like a real server, so that every kill hits mails between two SMTP commands.
"""

from __future__ import annotations

from chaos.scenarios.base import Scenario
from chaos.stage import Stage

ROUNDS = 2


def story(stage: Stage) -> None:
    """Each round (a short run has one): a child, a group, a child of the other worker, then both groups."""
    first, second = stage.workers[0], stage.workers[1]
    between = int(stage.plan.rate_per_s * 0.5)
    for _ in range(1 if stage.short else ROUNDS):
        stage.kill_child(first)
        stage.after_mails(between)
        stage.kill_group(second)
        stage.after_mails(between)
        stage.kill_child(second)
        stage.after_mails(between)
        stage.kill_group(first, second)
        stage.after_mails(between)
    stage.rest_of_flood()


SCENARIO = Scenario(
    name="kill-workers",
    summary="SIGKILL worker groups and single pool children, repeatedly",
    rate_per_s=80,
    duration_s=20,
    story=story,
    expect_faults=("kill-group", "kill-child"),
    sink_latency_s=0.012,
)
