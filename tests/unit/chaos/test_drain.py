"""Quiet is said only after nothing moved for the whole window, never when something cannot be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chaos.drain import Stillness, drain

STILL = Stillness(queued=0, unacked=0, due=0, stored=10)


def seeing(*looks: Stillness) -> Callable[[], Stillness]:
    """The given looks one after the other, then the last one for ever."""
    rest: Iterator[Stillness] = iter(looks)

    def see() -> Stillness:
        return next(rest, looks[-1])

    return see


def test_still_for_the_window_is_quiet() -> None:
    drained = drain(seeing(STILL), window_s=0.3, limit_s=5)
    assert drained.quiet
    assert drained.after_s >= 0.3


def test_each_thing_that_may_still_move_prevents_quiet() -> None:
    for moving in (
        Stillness(1, 0, 0, 10),
        Stillness(0, 1, 0, 10),
        Stillness(0, 0, 1, 10),
        Stillness(None, 0, 0, 10),
        Stillness(0, None, 0, 10),
        Stillness(0, 0, None, 10),
    ):
        drained = drain(seeing(moving), window_s=0.1, limit_s=0.5)
        assert not drained.quiet, moving
        assert drained.detail == moving.words()
        assert drained.seen == (None not in (moving.queued, moving.unacked, moving.due))


def test_a_mail_within_the_window_begins_it_anew() -> None:
    looks = [Stillness(0, 0, 0, n) for n in range(5)]
    drained = drain(seeing(*looks), window_s=0.5, limit_s=10)
    assert drained.quiet
    assert drained.after_s >= 0.5 + 4 * 0.2


def test_the_limit_ends_the_wait_and_tells_what_still_moved() -> None:
    drained = drain(seeing(Stillness(3, 2, 1, 7)), window_s=0.1, limit_s=0.3)
    assert not drained.quiet
    assert drained.detail == "queued 3, unacknowledged 2, due 1, stored 7"
