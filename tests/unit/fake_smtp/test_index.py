"""The searchable copy: what is found, what differs, and that it may break without harm."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_smtp.entries import Entry, Expected, Query
from fake_smtp.index import Index, IndexLost


def entry(mail: int, key: str | None = "k", **more: object) -> Entry:
    fields = {
        "session": 1,
        "at_s": float(mail),
        "job_id": None,
        "message_id": f"{mail}@x",
        "attempt": 1,
        "sender": "from@x",
        "recipients": '["to@x"]',
        "subject": "Hello",
        "digest": "d",
        "size": 1,
        "raw_at": 0,
    }
    return Entry(mail=mail, key=key, **{**fields, **more})


def filled(*entries: Entry) -> Index:
    index = Index()
    for one in entries:
        index.add(one, "")
    return index


def test_found_by_each_field_newest_first_and_page_by_page() -> None:
    index = Index()
    index.add(entry(1, "a", sender="Ann@x", recipients='["bob@y", "Cy@z"]'), "first TEXT")
    index.add(entry(2, "b", subject="Größe"), "second text")
    index.add(entry(3, None, at_s=7.5), "%_'\"; --")
    for query, mails in [
        (Query(), [3, 2, 1]),
        (Query(key="a"), [1]),
        (Query(key="A"), []),
        (Query(sender="ann"), [1]),
        (Query(recipient="cy@"), [1]),
        (Query(subject="größe"), [2]),
        (Query(text="text"), [2, 1]),
        (Query(text="%_'"), [3]),
        (Query(since_s=2.0, until_s=7.5), [2]),
        (Query(before=3, text="text"), [2, 1]),
        (Query(key="a", text="second"), []),
    ]:
        assert [one.mail for one in index.search(query, 10)] == mails, query
    assert [one.mail for one in index.search(Query(), 2)] == [3, 2]
    assert index.get(2) == entry(2, "b", subject="Größe")
    assert index.get(9) is None
    assert index.copies("a") == [1]


def test_each_difference_has_its_name() -> None:
    index = filled(
        entry(1, "once"),
        entry(2, "twice"),
        entry(3, "twice"),
        entry(4, "other", digest="wrong"),
        entry(5, "nobody asked"),
        entry(6, None),
    )
    wanted = [Expected("once", "d"), Expected("twice"), Expected("other", "d"), Expected("gone")]
    found = index.verify(wanted)
    assert not found.ok
    assert (found.missing, found.duplicated) == (["gone"], {"twice": 2})
    assert (found.unexpected, found.corrupted) == (["<6@x>", "nobody asked"], ["other"])
    assert filled(entry(1, "once")).verify([Expected("once")]).ok
    assert not Index().verify([Expected("once")]).ok


@given(st.lists(st.sampled_from("abc"), max_size=450))
def test_nothing_is_forgotten_between_batches(keys: list[str]) -> None:
    index = filled(*(entry(number, key) for number, key in enumerate(keys, 1)))
    assert len(index.search(Query(), 1000)) == len(keys)
    found = index.verify([Expected("a")])
    assert found.duplicated == ({"a": keys.count("a")} if keys.count("a") > 1 else {})
    assert index.clear() == len(keys)
    assert index.search(Query(), 10) == []


@given(st.text(), st.text())
def test_any_text_can_be_stored(subject: str, text: str) -> None:
    index = Index()
    index.add(entry(1, subject=subject + "\ud800"), text + "\udcff")
    assert len(index.search(Query(), 10)) == 1


def test_a_full_disk_breaks_the_copy_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def execute(self, _statement: str) -> None:
            raise sqlite3.OperationalError("disk full")

    index = Index()
    index._db.close()
    monkeypatch.setattr(index, "_db", Full())
    for number in range(1, 1000):
        index.add(entry(number), "")
    for ask in (
        lambda: index.search(Query(), 1),
        lambda: index.verify([]),
        lambda: index.get(1),
        index.clear,
    ):
        with pytest.raises(IndexLost, match="disk full"):
            ask()
