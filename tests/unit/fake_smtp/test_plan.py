"""Plans as data, and decisions that depend on nothing but seed, rule, key and attempt."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_smtp.decider import Decider, Subject
from fake_smtp.plan import Plan, PlanError, Rule, chance
from fake_smtp.session import SessionState

LIMITS = st.none() | st.integers(1, 10**6)
PATTERNS = st.none() | st.text(min_size=1)
RULES = st.builds(
    Rule,
    st.text(min_size=1),
    st.floats(0, 1),
    count=LIMITS,
    attempts=LIMITS,
    key=PATTERNS,
    recipient=PATTERNS,
    sender=PATTERNS,
    attempt=st.none() | st.tuples(st.integers(1, 5), st.integers(5, 9)),
    from_s=st.none() | st.floats(0, 5),
    until_s=st.none() | st.floats(6, 9),
    phase=PATTERNS,
    params=st.dictionaries(st.text(), st.integers() | st.text()),
)
PLANS = st.builds(Plan, st.integers(), st.lists(RULES).map(tuple))


def session(**fields: object) -> SessionState:
    return SessionState(1, "peer", **fields)


def dot(decider: Decider, key: str, attempt: int | None = None) -> str | None:
    decision = decider.decide("dot", session(), Subject(key, key=key, attempt=attempt))
    return decision and decision.fault.name


def tempfail(**more: object) -> Rule:
    return Rule("tempfail", params={"stage": "dot"}, **more)


@given(PLANS)
def test_json_and_back(plan: Plan) -> None:
    assert Plan.from_json(plan.to_json()) == plan


def test_defaults() -> None:
    assert Plan.from_json({}) == Plan(0, ())
    assert Plan.from_json({"rules": [{"fault": "x"}]}) == Plan(0, (Rule("x", 1.0, None, None, params={}),))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -0.1, 1.1, True, "1"])
def test_bad_probabilities(bad: object) -> None:
    with pytest.raises(PlanError, match="rule 1: 'probability'"):
        Plan.from_json({"rules": [{"fault": "x"}, {"fault": "x", "probability": bad}]})


@given(st.integers(), st.integers(0, 5), st.text(), st.integers())
def test_chance_is_a_fixed_number_below_one(seed: int, rule: int, key: str, attempt: int) -> None:
    value = chance(seed, rule, key, attempt)
    assert 0 <= value < 1
    assert value == chance(seed, rule, key, attempt)


def test_chance_is_pinned() -> None:
    """A change of the hash would make old plans replay differently."""
    assert chance(7, 0, "run-000001", 1) == 0.9046236523051906


def test_another_run_with_the_same_seed_hits_the_same_jobs() -> None:
    assert chance(7, 0, "calm-s1-aaaa-000001", 1) == chance(7, 0, "calm-s1-bbbb-000001", 1)


def test_chance_is_even_and_its_parts_all_count() -> None:
    values = [chance(1, 0, f"k-{number}", 1) for number in range(4000)]
    assert 0.22 < sum(value < 0.25 for value in values) / 4000 < 0.28
    assert (
        len({chance(*parts) for parts in [(1, 0, "k", 1), (2, 0, "k", 1), (1, 1, "k", 1), (1, 0, "k", 2)]})
        == 4
    )


def test_plan_module_brings_no_server() -> None:
    code = (
        "import sys, fake_smtp.plan; print([m for m in sys.modules if m.startswith(('aio', 'fake_smtp.'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['fake_smtp.plan']"


def test_the_first_rule_that_applies_wins() -> None:
    decider = Decider(Plan(0, (tempfail(count=1), Rule("tempfail", params={"stage": "dot", "code": 550}))))
    codes = [decider.decide("dot", session(), Subject("k")).fault.params["code"] for _ in range(3)]
    assert codes == [451, 550, 550]


def test_attempts_count_each_mail_for_itself() -> None:
    decider = Decider(Plan(0, (tempfail(attempts=2),)))
    seen = [dot(decider, key) for key in ("a", "b", "a", "a", "b", "b", "a")]
    assert seen == ["tempfail", "tempfail", "tempfail", None, "tempfail", None, None]


def test_attempts_are_those_at_the_stage_and_not_the_number_in_the_mail() -> None:
    decider = Decider(Plan(0, (tempfail(attempts=1),)))
    assert [dot(decider, "a", attempt) for attempt in (5, 6)] == ["tempfail", None]


def test_probability_goes_by_the_attempt_in_the_mail() -> None:
    rule = tempfail(probability=0.5)
    fates = {attempt: dot(Decider(Plan(3, (rule,))), "a", attempt) for attempt in range(1, 30)}
    assert len(set(fates.values())) == 2
    again = Decider(Plan(3, (rule,)))
    assert {attempt: dot(again, "a", attempt) for attempt in reversed(range(1, 30))} == fates


def test_other_stages_are_not_asked() -> None:
    decider = Decider(Plan(0, (tempfail(count=1),)))
    for stage in ("connect", "auth", "mail", "rcpt", "data", "stored"):
        assert decider.decide(stage, session(), Subject("k")) is None
    assert dot(decider, "k") == "tempfail"


def test_auth_reject_revokes_only_older_logins() -> None:
    decider = Decider(Plan(0, (Rule("auth_reject"),)), number=3)

    def mail(state: SessionState) -> bool:
        return decider.decide("mail", state, Subject("k")) is not None

    assert mail(session(auth="ok", login_plan=2))
    assert not mail(session(auth="ok", login_plan=3))
    assert not mail(session(auth="none"))
    assert not mail(session(auth="rejected"))
    assert decider.decide("auth", session(), Subject("k")) is not None


@pytest.mark.parametrize("code", [True, 250, "535", 535.0, None])
def test_auth_reject_takes_only_its_codes(code: object) -> None:
    with pytest.raises(PlanError, match="rule 0: auth_reject: 'code'"):
        Decider(Plan(0, (Rule("auth_reject", params={"code": code}),)))
