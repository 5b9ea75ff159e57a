"""What can be said of a run before its end: failure when it is certain, never a pass."""

from __future__ import annotations

from chaos.sofar import SoFar


def api(sent: float, accepted: float = 10) -> dict[str, float]:
    return {
        "mail_jobs_accepted_total": accepted,
        'mail_jobs_terminal_total{state="sent"}': sent,
        "mail_jobs_due": accepted - sent - 1,
        "mail_jobs_held": 1,
    }


def sink(stored: float, twice: float = 0) -> dict[str, float]:
    return {"sink_messages_stored_total": stored, "sink_duplicates_total": twice}


def fed(*scrapes: tuple[str, dict[str, float]], forgive: bool = False) -> SoFar:
    so_far = SoFar()
    so_far.forgive_duplicates = forgive
    for target, samples in scrapes:
        so_far.see(target, samples)
    return so_far


def test_nothing_seen_is_unknown_and_no_figure() -> None:
    so_far = fed()
    assert (so_far.verdict, so_far.mails()) == ("unknown", {})


def test_a_sound_run_stays_unknown_until_the_judge_has_spoken() -> None:
    so_far = fed(("api", api(4)), ("sink", sink(5)), ("api", api(5)), ("sink", sink(5)))
    assert so_far.verdict == "unknown"
    assert so_far.mails() == {"accepted": 10, "waiting": 5, "delivered": 5, "duplicates": 0}
    so_far.end("pass")
    assert so_far.verdict == "pass"


def test_one_duplicate_is_certain() -> None:
    so_far = fed(("sink", sink(3, twice=1)))
    assert (so_far.verdict, so_far.certain) == ("fail", ["a mail was stored twice"])
    assert so_far.mails() == {"delivered": 2, "duplicates": 1}


def test_duplicates_that_the_plan_forgives_decide_nothing() -> None:
    assert fed(("sink", sink(3, twice=1)), forgive=True).verdict == "unknown"


def test_sent_and_not_stored_is_certain_once_the_sink_was_asked_later() -> None:
    """The sink's first figures may be older than the API's; those of its next scrape are not."""
    scrapes = [("sink", sink(3)), ("api", api(4)), ("sink", sink(3))]
    assert fed(*scrapes).verdict == "unknown", "this scrape may have begun before the API was asked"
    assert fed(*scrapes, ("sink", sink(4))).verdict == "unknown"
    assert fed(*scrapes, ("sink", sink(3))).verdict == "fail"
    assert fed(*scrapes, ("sink", sink(4, twice=1)), forgive=True).verdict == "fail", "one of 4 was a copy"


def test_a_sink_that_began_anew_proves_no_loss() -> None:
    so_far = fed(("api", api(4)), ("sink", sink(4)), ("sink", sink(0)), ("sink", sink(1)))
    assert so_far.verdict == "unknown"


def test_a_failure_is_not_forgotten_and_the_judge_has_the_last_word() -> None:
    so_far = fed(("sink", sink(3, twice=1)), ("sink", sink(3)))
    assert so_far.verdict == "fail"
    so_far.end("unknown")
    assert so_far.verdict == "unknown"


def test_a_scrape_without_our_figures_is_no_news() -> None:
    assert fed(("sink", {}), ("api", {}), ("relay", {"mail_relay_ticks_total": 1})).mails() == {}
