"""What the load benchmarks compute, and what they call a request."""

import pytest

from benchmarks.load_bench import ratio, table
from benchmarks.load_server import whole
from benchmarks.load_sides import OURS, PLAIN, Sample

REQUEST = b"POST /jobs HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 5\r\nA: b\r\n\r\nhello"


def test_rates():
    sample = Sample(1000, 0.2, 0.5, 0.1)
    assert (sample.per_core, sample.rate) == (5000.0, 2000.0)


def test_the_two_of_a_round_are_compared():
    # The second round was on a machine twice as slow: that says nothing about either.
    samples = {
        OURS: [Sample(1000, 0.2, 1, 0.1), Sample(1000, 0.4, 1, 0.1), Sample(1000, 0.21, 1, 0.1)],
        PLAIN: [Sample(1000, 0.19, 1, 0.1), Sample(1000, 0.38, 1, 0.1), Sample(1000, 0.2, 1, 0.1)],
    }
    assert ratio(samples) == pytest.approx(0.95, abs=0.005)
    assert "ratios of the rounds: 0.95, 0.95, 0.95" in table(samples)
    assert "| ours | 4762 | 210 |" in table(samples)


def test_the_server_knows_a_whole_request():
    assert whole(REQUEST) == len(REQUEST)
    assert whole(REQUEST + REQUEST) == len(REQUEST)
    assert whole(REQUEST[:30]) == 0
    assert whole(b"GET / HTTP/1.1\r\n\r\n") == 18
