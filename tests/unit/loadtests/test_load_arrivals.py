"""Schedules are pure: rate, seed and shape alone decide every due time."""

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.arrivals import SHAPES, ArrivalsError, parse, take

SPECS = [
    "constant",
    "poisson",
    "ramp",
    "ramp:over=5,start=0.2",
    "ramp:over=3,start=1",
    "burst:size=7",
    "wave",
]
SPECS += ["wave:period=3,depth=1", "wave:depth=0"]


def first(spec, count, rate=50.0, seed=1):
    return list(islice(parse(spec, rate, seed).offsets(), count))


def test_constant_is_exact_after_a_million():
    assert next(islice(parse("constant", 3.0).offsets(), 3_000_000, None)) == 1_000_000.0


@pytest.mark.parametrize("spec", SPECS)
def test_same_seed_same_times(spec):
    assert first(spec, 200) == first(spec, 200)


def test_another_seed_moves_poisson():
    assert first("poisson", 5, seed=1) != first("poisson", 5, seed=2)


@given(spec=st.sampled_from(SPECS), rate=st.floats(0.1, 5000), seed=st.integers())
def test_times_never_fall_and_start_at_or_after_zero(spec, rate, seed):
    times = first(spec, 300, rate, seed)
    assert times[0] >= 0
    assert all(before <= after for before, after in pairwise(times))


@pytest.mark.parametrize(
    "spec", ["constant", "poisson", "burst:size=7", "wave:period=5", "wave:period=5,depth=1"]
)
def test_long_run_keeps_the_rate(spec):
    count = sum(1 for _ in take(parse(spec, 100.0, 3), 100.0))
    assert count == pytest.approx(10_000, rel=0.04)


def test_ramp_offers_the_integral_of_its_rate():
    times = list(take(parse("ramp:over=10,start=0", 100.0), 20.0))
    assert sum(1 for at in times if at < 10) == pytest.approx(500, abs=1)
    assert sum(1 for at in times if at >= 10) == pytest.approx(1000, abs=1)


def test_ramp_from_the_full_rate_is_constant():
    assert first("ramp:over=3,start=1", 300) == pytest.approx(first("constant", 300))


def test_burst_is_due_at_one_instant():
    assert first("burst:size=3", 6, rate=1.0) == [0, 0, 0, 3, 3, 3]


def test_wave_swings():
    times = list(take(parse("wave:period=10,depth=1", 100.0), 10.0))
    crest = sum(1 for at in times if at < 5)
    assert crest > 2 * (len(times) - crest)


def test_zero_seconds_means_no_end():
    assert len(list(islice(take(parse("constant", 10.0), 0), 1000))) == 1000


def test_for_s_excludes_its_end():
    assert len(list(take(parse("constant", 10.0), 2.0))) == 20


@pytest.mark.parametrize(
    ("spec", "rate", "words"),
    [
        ("steady", 1, "unknown arrivals 'steady'; known: constant, poisson"),
        ("constant", 0, "rate_per_s must be above 0"),
        ("constant", -1, "rate_per_s must be above 0"),
        ("constant", float("nan"), "rate_per_s must be above 0"),
        ("constant", float("inf"), "rate_per_s must be above 0"),
        ("constant", 1e9, "at most 100000"),
        ("constant:over=3", 1, "constant has no 'over'; known: nothing"),
        ("ramp:over=x", 1, "over must be a number, not 'x'"),
        ("ramp:over=0", 1, "over must be above 0"),
        ("ramp:start=2", 1, "start must be from 0 to 1"),
        ("ramp:seed=2", 1, "ramp has no 'seed'"),
        ("burst:size=0", 1, "size must be above 0"),
        ("burst:size=2.5", 1, "whole number"),
        ("wave:depth=1.1", 1, "depth must be from 0 to 1"),
        ("wave:period=-1", 1, "period must be above 0"),
    ],
)
def test_wrong_schedules_are_refused_in_words(spec, rate, words):
    with pytest.raises(ArrivalsError, match=words):
        parse(spec, rate)


@pytest.mark.parametrize("for_s", [-1, float("nan"), float("inf")])
def test_a_flood_of_negative_length_is_refused(for_s):
    with pytest.raises(ArrivalsError, match="must last 0"):
        take(parse("constant", 1.0), for_s)


@pytest.mark.parametrize("name", SHAPES)
def test_description_names_shape_rate_and_seed(name):
    words = str(parse(name, 12.5, 7))
    assert words.startswith(name)
    assert "12.5/s" in words
    assert "seed 7" in words


def test_description_shows_parameters():
    assert str(parse("ramp:over=30,start=0.1", 100, 1)) == "ramp:over=30,start=0.1 at 100/s, seed 1"
