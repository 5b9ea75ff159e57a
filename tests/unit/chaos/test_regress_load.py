"""The load of `regress`, against a small HTTP server: what it writes down must satisfy the judge."""

from __future__ import annotations

import json
import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chaos.regress import cpu, rounds
from chaos.regress.offer import Offer, Sent
from chaos.regress.tail import Tail
from reports.evidence import SUBMISSIONS, content_digest, read


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = 202
    asked: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.headers["Idempotency-Key"], body))
        answer = json.dumps({"id": f"job-{len(self.asked)}"}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[type[Api]]:
    class Own(Api):
        asked: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012
        address = ""

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        Own.address = f"127.0.0.1:{server.server_port}"
        yield Own
        server.shutdown()


def test_every_mail_is_offered_once_and_written_down(api: Any, tmp_path: Path) -> None:
    offer = Offer(tmp_path, "r-1", 7, api.address)
    between: list[str] = []
    burst = offer.burst(10)
    alone = offer.one_by_one(3, lambda sent: between.append(sent.key))
    offer.close()
    assert [sent.key for sent in alone] == between == ["r-1-000010", "r-1-000011", "r-1-000012"]
    assert {key for key, _ in api.asked} == {sent.key for sent in [*burst, *alone]}
    assert all(sent.took_s is not None and sent.took_s > 0 for sent in burst)
    evidence = read(tmp_path / SUBMISSIONS)
    assert evidence.complete
    events = Counter(record["event"] for record in evidence.records)
    assert events == {"load_start": 1, "due": 13, "invoke": 13, "ok": 13, "load_stop": 1}
    due = next(record for record in evidence.records if record["event"] == "due")
    body = dict(api.asked)[due["key"]]
    assert due["digest"] == content_digest(body["subject"], body["body"])
    assert due["to"] == body["to"]
    assert evidence.records[-1]["due"] == evidence.records[-1]["sent"] == 13


def test_any_other_answer_stays_unknown_and_is_not_asked_again(api: Any, tmp_path: Path) -> None:
    api.status = 503
    offer = Offer(tmp_path, "r-1", 7, api.address)
    (sent,) = offer.burst(1)
    offer.close()
    assert sent.took_s is None
    assert len(api.asked) == 1
    (info,) = (r for r in read(tmp_path / SUBMISSIONS).records if r["event"] == "info")
    assert (info["status"], info["why"]) == (503, "HTTP 503")


def test_nobody_there_stays_unknown(tmp_path: Path) -> None:
    offer = Offer(tmp_path, "r-1", 7, "127.0.0.1:1")
    (sent,) = offer.burst(1)
    offer.close()
    assert sent.took_s is None
    (info,) = (r for r in read(tmp_path / SUBMISSIONS).records if r["event"] == "info")
    assert "ConnectionRefused" in info["why"]


def stored(key: str, at: int) -> bytes:
    return json.dumps({"event": "stored", "key": key, "mono_ns": at}, separators=(",", ":")).encode() + b"\n"


def test_the_tail_takes_whole_lines_and_first_copies(tmp_path: Path) -> None:
    path = tmp_path / "deliveries.jsonl"
    tail = Tail(path)
    path.write_bytes(stored("a", 1) + b'{"event":"reply"}\n' + stored("b", 2)[:20])
    assert tail.wait(["a", "b"], 0.0) == ["b"]
    with path.open("ab") as file:
        file.write(stored("b", 2)[20:] + stored("a", 9))
    assert tail.wait(["a", "b"], 5.0) == []
    assert tail.stored_ns == {"a": 1, "b": 2}


@pytest.mark.parametrize("seed", range(5))
def test_each_side_has_as_many_turns_and_is_first_as_often(seed: int) -> None:
    turns = rounds.order(8, random.Random(seed))
    assert Counter(turns) == {"base": 8, "head": 8}
    assert Counter(turns[::2]) == {"base": 4, "head": 4}
    assert all(turns[n] != turns[n + 1] for n in range(0, 16, 2))


def test_every_life_warms_up_and_the_rounds_are_shared_out() -> None:
    plan = rounds.Shape(rounds=8, lives=3, warm_up=1).plan()
    assert [sum(life) for life in plan] == [3, 3, 2]
    assert [life[0] for life in plan] == [False, False, False]


def test_the_order_is_the_seeds() -> None:
    assert rounds.order(8, random.Random(1)) == rounds.order(8, random.Random(1))
    assert len({tuple(rounds.order(8, random.Random(seed))) for seed in range(8)}) > 1


def test_the_figures_of_a_round_are_milliseconds_a_mail() -> None:
    taken = rounds.Taken([2.0, 4.0, 90.0], [5.0, 7.0], [1.0, 3.0])
    found = rounds.figures(taken, {"api": 0.2, "worker": 0.3}, 100)
    assert found["values"] == {"cpu_ms": 5.0, "bursts_ms": 2.0, "alone_ms": 5.0, "accept_ms": 1.0}
    assert found["cpu_parts_ms"] == {"api": 2.0, "worker": 3.0}


def test_mails_that_were_refused_or_never_stored_spoil_the_round(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(stored("a", 1))

    class Somebody:
        name = "head"
        tail = Tail(tmp_path / "d")

    side: Any = Somebody()
    rounds._await(side, [Sent("a", 0, 0.1)], 0.0)
    with pytest.raises(rounds.Spoilt, match="head: 1 of 2 mails were not accepted"):
        rounds._await(side, [Sent("a", 0, 0.1), Sent("b", 0, None)], 0.0)
    with pytest.raises(rounds.Spoilt, match="head: 1 of 1 mails were not stored within 0 s"):
        rounds._await(side, [Sent("b", 0, 0.1)], 0.0)


def test_cpu_time_only_grows_and_an_ended_process_is_told() -> None:
    before = cpu.used_s({os.getpid(): "api"})["api"]
    sum(range(200_000))
    assert cpu.used_s({os.getpid(): "api"})["api"] > before
    with pytest.raises(ProcessLookupError, match="ended in the middle"):
        cpu.used_s({2**22 - 3: "api"})
