"""What was full when jobs were late, in words that say what to do."""

import pytest

from loadtests.cores import Cores, Sample


class Machine:
    def __init__(self):
        self.own_s = self.wall_s = 0.0
        self.idle_s = [50.0, 60.0]
        self.cores = Cores(lambda: self.own_s, lambda: self.wall_s, self.machine)

    def machine(self):
        return [(idle_s, 100.0 + self.wall_s) for idle_s in self.idle_s]

    def second(self, own, busy, max_late_s):
        self.wall_s += 1.0
        self.own_s += own
        self.idle_s = [idle_s + 1 - share for idle_s, share in zip(self.idle_s, busy, strict=True)]
        self.cores.look(max_late_s)


def test_the_sample_in_which_lateness_grew_is_kept():
    machine = Machine()
    machine.second(0.3, [0.3, 0.2], 0.01)
    machine.second(0.98, [0.99, 0.4], 2.1)
    machine.second(0.2, [0.2, 0.1], 2.1)
    assert machine.cores.telling.own == pytest.approx(0.98)
    assert machine.cores.telling.cores == pytest.approx((0.99, 0.4))


def test_a_long_sample_is_a_share_of_its_own_time():
    machine = Machine()
    machine.wall_s, machine.own_s = 4.0, 1.0
    machine.cores.look(0.0)
    assert machine.cores.telling.own == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (
            Sample(0.97, (1.0, 0.4)),
            "this load process filled its core (97%); use --processes or a lower rate",
        ),
        (Sample(0.4, (0.3, 0.99)), "core 1 was full (99%) with other work, and this load process had 40%"),
        (Sample(0.03, (0.1, 0.34)), "no core was full (the busiest: 34%; this load process: 3%)"),
        (Sample(0.03, ()), "no core was full"),
    ],
)
def test_words(sample, words):
    assert sample.words().startswith(words)


def test_the_real_machine():
    cores = Cores()
    cores.look(0.0)
    assert len(cores.telling.cores) >= 1
    assert all(0.0 <= share <= 1.01 for share in cores.telling.cores)
