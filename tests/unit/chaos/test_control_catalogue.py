"""What a person may ask for, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.control.catalogue import HOLD, Choice, Parameter, ParameterError, cuts
from chaos.stack.addresses import PROXIES

CHOICE = Choice(
    "smtp-x",
    "smtp",
    "",
    (HOLD, Parameter("probability", 1.0), Parameter("code", 451), Parameter("who", "a", "", ("a", "b"))),
    lambda *_: None,
)


def test_what_is_not_given_has_its_default() -> None:
    assert CHOICE.values({"code": 454}) == {"hold_s": 5.0, "probability": 1.0, "code": 454, "who": "a"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"hold": 1}, "no parameter 'hold'; it has: hold_s"),
        ({"hold_s": 0}, "more than 0"),
        ({"hold_s": 601}, "at most 600"),
        ({"hold_s": "5"}, "a number is needed"),
        ({"hold_s": float("nan")}, "a number is needed"),
        ({"hold_s": True}, "a number is needed"),
        ({"probability": 1.5}, "at most 1"),
        ({"who": "c"}, "one of a, b"),
    ],
)
def test_what_cannot_be_is_refused_in_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        CHOICE.values(given)


def test_every_connection_can_be_cut_alone_and_with_its_likes() -> None:
    found = cuts()
    assert {name for name in found if found[name] == [name]} == set(PROXIES)
    assert found["redis-all"] == ["redis-api", "redis-worker", "redis-relay"]
    assert found["all"] == list(PROXIES)
