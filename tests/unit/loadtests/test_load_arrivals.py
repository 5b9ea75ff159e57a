"""Schedules are pure: rate, seed and shape alone decide every due time."""

import math
from itertools import accumulate, islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.arrivals import SHAPES, ArrivalsError, described, parse, take

SPECS = [
    "constant",
    "poisson",
    "ramp",
    "ramp:over=5,start=0.2",
    "ramp:over=3,start=1",
    "burst:size=7",
    "step",
    "step:start=0.5,every=2,steps=3",
    "step:start=1,every=2,steps=1",
    "spike",
    "spike:height=8,at=1,lasts=0.5",
    "spike:height=0.1,at=0.5,lasts=3",
    "wave",
    "wave:period=3,depth=1",
    "wave:depth=0",
    "soak",
    "soak:up=2,hold=20,down=3",
]
OWN = [name for name in SHAPES if name != "replay"]


def numbers(low, high):
    return st.floats(low, high, allow_nan=False, exclude_min=True)


# Every shape with every parameter that it has; a replay has a test file of its own.
STRAIGHT = st.one_of(
    st.builds("ramp:over={!r},start={!r}".format, numbers(0.001, 1e4), st.floats(0, 1)),
    st.builds(
        "step:start={!r},every={!r},steps={}".format, numbers(0.01, 1), numbers(0.01, 1e3), st.integers(1, 50)
    ),
    st.builds(
        "spike:height={!r},at={!r},lasts={!r}".format,
        numbers(0.001, 20),
        numbers(0.001, 1e3),
        numbers(0.001, 100),
    ),
    st.builds(
        "soak:up={!r},hold={!r},down={!r}".format, numbers(0.01, 1e3), numbers(0.001, 1e4), numbers(0.01, 100)
    ),
)
SCHEDULES = st.one_of(
    st.sampled_from(["constant", "poisson"]),
    st.builds("burst:size={}".format, st.integers(1, 500)),
    st.builds("wave:period={!r},depth={!r}".format, numbers(0.1, 1e3), st.floats(0, 1)),
    STRAIGHT,
)


def first(spec, count, rate=50.0, seed=1):
    return list(islice(parse(spec, rate, seed).offsets(), count))


def test_constant_is_exact_after_a_million():
    assert next(islice(parse("constant", 3.0).offsets(), 3_000_000, None)) == 1_000_000.0


@pytest.mark.parametrize("spec", SPECS)
def test_same_seed_same_times(spec):
    assert first(spec, 200) == first(spec, 200)


def test_another_seed_moves_poisson():
    assert first("poisson", 5, seed=1) != first("poisson", 5, seed=2)


@given(spec=SCHEDULES, rate=st.floats(0.1, 5000), seed=st.integers())
def test_times_never_fall_and_start_at_or_after_zero(spec, rate, seed):
    times = first(spec, 300, rate, seed)
    assert times == [] or times[0] >= 0
    assert all(before <= after for before, after in pairwise(times))
    assert all(map(math.isfinite, times))
    assert times == first(spec, 300, rate, seed)


@given(spec=SCHEDULES, rate=st.floats(0.1, 5000), seed=st.integers())
def test_the_description_reads_back(spec, rate, seed):
    schedule = parse(spec, rate, seed)
    assert described(str(schedule)) == schedule
    assert str(described(str(schedule))) == str(schedule)


@pytest.mark.parametrize("words", ["", "constant", "constant at x/s, seed 1", "steady at 1/s, seed 1"])
def test_other_words_describe_no_schedule(words):
    with pytest.raises(ArrivalsError):
        described(words)


@given(spec=STRAIGHT, rate=numbers(0.1, 500))
def test_the_integral_of_the_rate_is_the_number(spec, rate):
    schedule = parse(spec, rate)
    pieces = list(schedule.pieces())
    ends = list(accumulate((piece.lasts_s for piece in pieces), initial=0.0))

    def integral(until_s):
        total = 0.0
        for begin_s, piece in zip(ends, pieces, strict=False):
            lasts_s = min(piece.lasts_s, until_s - begin_s)
            if lasts_s <= 0:
                break
            steep = 0.0 if piece.lasts_s == math.inf else (piece.high - piece.low) / piece.lasts_s
            total += piece.low * lasts_s + steep * lasts_s**2 / 2
        return total

    for number, due_s in enumerate(islice(schedule.offsets(), 300)):
        assert integral(due_s) == pytest.approx(number, abs=1e-3, rel=1e-6)


@given(period=numbers(0.1, 100), depth=st.floats(0, 1), rate=numbers(0.1, 500))
def test_the_integral_of_a_wave_is_the_number(period, depth, rate):
    turn = 2 * math.pi / period
    for number, at in enumerate(first(f"wave:period={period!r},depth={depth!r}", 50, rate)):
        due = rate * (at + depth / turn * (1 - math.cos(turn * at)))
        assert due == pytest.approx(number, abs=1e-3, rel=1e-6)


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


def counted(spec, rate, *seconds, for_s=0.0):
    times = list(take(parse(spec, rate), for_s or seconds[-1]))
    return [sum(1 for at in times if low <= at < high) for low, high in pairwise(seconds)]


def test_steps_are_level_and_the_last_stays():
    each = counted("step:start=0.2,every=10,steps=5", 100.0, 0, 10, 20, 30, 40, 50, 60)
    assert each == pytest.approx([200, 400, 600, 800, 1000, 1000], abs=1)


def test_one_step_is_the_rate():
    assert first("step:start=0.5,every=2,steps=1", 100) == pytest.approx(first("constant", 100))


def test_a_spike_is_high_only_while_it_lasts():
    assert counted("spike:height=5,at=10,lasts=2", 100.0, 0, 10, 12, 20) == pytest.approx(
        [1000, 1000, 800], abs=1
    )


def test_a_soak_climbs_holds_and_ends_by_itself():
    times = list(take(parse("soak:up=10,hold=20,down=4", 100.0), 0))
    assert counted("soak:up=10,hold=20,down=4", 100.0, 0, 10, 30, 40) == pytest.approx(
        [500, 2000, 200], abs=1
    )
    assert len(times) == pytest.approx(2700, abs=1)
    assert times[-1] <= 34.0


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
        ("step:start=0", 1, "start must be above 0 and at most 1"),
        ("step:steps=1.5", 1, "steps must be a whole number"),
        ("step:every=0", 1, "every must be above 0"),
        ("step:to=2", 1, "step has no 'to'; known: start, every, steps"),
        ("spike:height=0", 1, "height must be above 0"),
        ("spike:height=11", 10_000, "height must be above 0 and at most 10"),
        ("spike:at=-1", 1, "at must be above 0"),
        ("spike:lasts=0", 1, "lasts must be above 0"),
        ("soak:hold=0", 1, "hold must be above 0"),
        ("soak:down=inf", 1, "down must be above 0"),
        ("replay", 1, "name a run's folder"),
    ],
)
def test_wrong_schedules_are_refused_in_words(spec, rate, words):
    with pytest.raises(ArrivalsError, match=words):
        parse(spec, rate)


@pytest.mark.parametrize("for_s", [-1, float("nan"), float("inf")])
def test_a_flood_of_negative_length_is_refused(for_s):
    with pytest.raises(ArrivalsError, match="must last 0"):
        take(parse("constant", 1.0), for_s)


@pytest.mark.parametrize("name", OWN)
def test_description_names_shape_rate_and_seed(name):
    words = str(parse(name, 12.5, 7))
    assert words.startswith(name)
    assert "12.5/s" in words
    assert "seed 7" in words


def test_description_shows_parameters():
    assert str(parse("ramp:over=30,start=0.1", 100, 1)) == "ramp:over=30,start=0.1 at 100/s, seed 1"
    assert str(parse("constant", 1234567.891 / 100, 1)) == "constant at 12345.67891/s, seed 1"
