"""Any order of workers, relays, crashes, late replies and replays: one mail each, and nothing forgotten.

The receiver is modelled: it takes a final dot only while the conversation's lease lives (its DATA limit is
shorter), keeps what it took, and tells the truth when asked.
"""

import random

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from system.delivery.ledger import PREFIX, Ledger
from system.delivery.states import Lease
from system.settings import Settings
from tests.integration.system.world import accept, check, let_pass, state

TWICE = st.booleans()


class World(RuleBasedStateMachine):
    """`talks` are (job, fence) pairs that hold, or once held, a lease."""

    client = None
    jobs = Bundle("jobs")
    talks = Bundle("talks")

    def __init__(self):
        super().__init__()
        self.client.flushall()
        self.settings = Settings(_env_file=None)
        self.ledger = Ledger(self.client, self.settings)
        self.ids, self.open, self.begun, self.copies, self.ended = [], set(), set(), {}, {}
        self.owners = 0

    def twice(self, again, call):
        answer = call()
        if again:
            assert call() == answer, "a replay must give the same answer"
        return answer

    @rule(target=jobs)
    def accepted(self):
        self.ids.append(accept(self.client, self.settings).job_id)
        self.copies[self.ids[-1]] = 0
        return self.ids[-1]

    @rule(target=talks, job=jobs, again=TWICE)
    def hint(self, job, again):
        """A worker gets a hint, settles a doubt if there is one, and takes the lease if it can."""
        self.owners += 1
        owner = str(self.owners)
        got = self.twice(again, lambda: self.ledger.lease(job, owner, "w", "h"))
        if not isinstance(got, Lease) and got.reason == "doubt" and self.ledger.ask(job, owner, 5):
            truth = "stored" if self.copies[job] else "absent"
            self.twice(again, lambda: self.ledger.verdict(job, owner, truth, "", "w"))
            got = self.ledger.lease(job, owner, "w", "h")
        return (job, got.fence if isinstance(got, Lease) else 0)

    @rule(talk=talks, again=TWICE)
    def begin(self, talk, again):
        # An attempt asks once; its request may arrive twice.
        if (
            talk not in self.begun
            and not self.begun.add(talk)
            and self.twice(again, lambda: self.ledger.mark_sending(*talk, "w"))
        ):
            self.open.add(talk)

    @rule(talk=talks)
    def dot(self, talk):
        if talk in self.open:
            self.open.remove(talk)
            self.copies[talk[0]] += 1
            self.ended[talk] = "stored"

    @rule(talk=talks, again=TWICE)
    def told_250(self, talk, again):
        if self.ended.get(talk) == "stored":
            self.twice(again, lambda: self.ledger.sent(*talk, "250", "w"))

    @rule(talk=talks, again=TWICE, how=st.sampled_from(["retry", "login_refused"]))
    def told_no(self, talk, again, how):
        if talk[1] and talk not in self.ended:
            self.open.discard(talk)
            self.ended[talk] = "no"
            self.twice(again, lambda: getattr(self.ledger, how)(*talk, "451", "w"))

    @rule(job=jobs)
    def time_passes(self, job):
        self.open = {talk for talk in self.open if talk[0] != job}
        let_pass(self.client, job)

    @rule(again=TWICE)
    def relay(self, again):
        self.ledger.claim_due(100)
        if again:
            self.ledger.claim_due(100)

    @rule()
    def login_works(self):
        self.ledger.probed(ok=True, reason="")

    @invariant()
    def holds(self):
        check(self.client, self.ids)
        assert all(copies <= 1 for copies in self.copies.values()), "a second copy"
        for job in self.ids:
            assert state(self.client, job) != "sent" or self.copies[job] == 1, "SUCCESS without a mail"

    def teardown(self):
        """Whatever happened, what was accepted is carried out once everybody behaves."""
        self.ledger.probed(ok=True, reason="")
        for _ in range(3):
            for job in self.ids:
                self.time_passes(job)
                _, fence = self.hint_plainly(job)
                if fence and self.ledger.mark_sending(job, fence, "w"):
                    self.copies[job] += 1
                    self.ledger.sent(job, fence, "250", "w")
        assert self.copies == dict.fromkeys(self.ids, 1)
        assert self.client.zcard(PREFIX + "due") == 0

    def hint_plainly(self, job):
        self.owners += 1
        owner = str(self.owners)
        got = self.ledger.lease(job, owner, "w", "h")
        if not isinstance(got, Lease) and got.reason == "doubt" and self.ledger.ask(job, owner, 5):
            self.ledger.verdict(job, owner, "stored" if self.copies[job] else "absent", "", "w")
            got = self.ledger.lease(job, owner, "w", "h")
        return job, got.fence if isinstance(got, Lease) else 0


def test_any_interleaving(redis_server):
    World.client = redis_server.client
    run_state_machine_as_test(
        World,
        settings=hypothesis_settings(
            max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_long_random_walk(redis_server, seed):
    """Few jobs and many steps: the deep corners that short examples do not reach."""
    World.client = redis_server.client
    world, rng = World(), random.Random(seed)
    for _ in range(3):
        world.accepted()
    talks = []
    for _ in range(400):
        job, again = rng.choice(world.ids), rng.random() < 0.3
        step = rng.randrange(7)
        if step == 0 or not talks:
            talks.append(world.hint(job, again))
        elif step == 1:
            world.begin(rng.choice(talks[-6:]), again)
        elif step == 2:
            world.dot(rng.choice(talks[-6:]))
        elif step == 3 and rng.random() < 0.05:
            world.told_250(rng.choice(talks[-6:]), again)
        elif step == 4:
            world.told_no(rng.choice(talks[-6:]), again, rng.choice(["retry", "login_refused"]))
        elif step == 5:
            world.time_passes(job)
        else:
            world.relay(again)
            world.login_works()
        world.holds()
    world.teardown()
