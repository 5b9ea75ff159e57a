"""100,000 mails in one run: flat memory, and an inbox that answers within a second all the time."""

from __future__ import annotations

import pytest

from benchmarks import sink_long

MAILS = 100_000


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_stays_flat_and_the_page_answers_within_a_second() -> None:
    seen = sink_long.run(MAILS)
    assert max(seen.memory_mib) == MAILS
    early = next(mib for mails, mib in seen.memory_mib.items() if mails >= MAILS / 5)
    late = seen.memory_mib[MAILS]
    assert late - early < 20, f"MiB by mails: {seen.memory_mib}"
    slow = {what: s for took in (seen.during_s, seen.after_s) for what, s in took.items() if s >= 1}
    assert not slow, f"seconds: {slow}"
