"""How deep the queues are: all lanes, all priorities, none of Celery's own talk, and never a guess."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import requests

from chaos import broker, http
from chaos.broker import RabbitBroker, RedisBroker, Unseen

LANES = ("celery_see", "default", "email", "maintenance")


class FakeRedis:
    """Lists and sets as kombu leaves them."""

    def __init__(self) -> None:
        self.lists = {"email": 1, "email\x06\x163": 2, "email\x06\x166": 4, "default\x06\x169": 8}
        self.sets = {f"_kombu.binding.{lane}": {f"{lane}\x06\x16\x06\x16{lane}"} for lane in LANES}
        self.sets["_kombu.binding.celery.pidbox"] = {"\x06\x16\x06\x16worker-1@vm.celery.pidbox"}
        self.sets["_kombu.binding.celeryev"] = {"worker.#\x06\x16\x06\x16celeryev.1"}

    def scan_iter(self, match: str, count: int) -> Iterator[str]:
        assert count
        return iter(fnmatch.filter(self.sets, match))

    def smembers(self, name: str) -> set[str]:
        return self.sets[name]

    def llen(self, name: str) -> int:
        return self.lists.get(name, 0)

    def hlen(self, name: str) -> int:
        if name != "unacked":
            raise redis.ResponseError(name)
        return 3


def test_on_redis_every_lane_is_summed_over_its_priorities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker.redis.Redis, "from_url", lambda *_, **__: FakeRedis())
    depth = RedisBroker("redis://nowhere/1").depth()
    assert depth.queues == {"celery_see": 0, "default": 8, "email": 7, "maintenance": 0}
    assert depth.unacked == 3


def test_a_redis_that_is_gone_is_unseen() -> None:
    with pytest.raises(Unseen):
        RedisBroker("redis://127.0.0.1:1/1").depth()


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, int], RabbitBroker]:
    """A management page that says this."""

    def answer(said: Any, status: int = 200) -> RabbitBroker:
        response = requests.Response()
        response.status_code = status
        response.json = lambda: said  # type: ignore[method-assign]
        monkeypatch.setattr(http, "get", lambda *_: response)
        return RabbitBroker("http://nowhere")

    return answer


def queue(name: str, ready: int, unacked: int) -> dict[str, Any]:
    return {"name": name, "messages_ready": ready, "messages_unacknowledged": unacked}


def test_on_rabbitmq_every_lane_counts_and_celerys_own_talk_does_not(
    answering: Callable[..., RabbitBroker],
) -> None:
    said = [
        queue("email", 4, 2),
        queue("default", 0, 1),
        {"name": "celeryev.1"},
        {"name": "w@vm.celery.pidbox"},
    ]
    assert answering(said).depth() == ({"email": 4, "default": 0}, 3)


@pytest.mark.parametrize(
    ("said", "status"),
    [([{"name": "email"}], 200), ({"error": "x"}, 200), ([queue("email", 0, 0)], 503), ([], 401)],
    ids=["no figures yet", "no list", "server error", "login refused"],
)
def test_what_rabbitmq_does_not_say_is_unseen(
    answering: Callable[..., RabbitBroker], said: Any, status: int
) -> None:
    with pytest.raises(Unseen):
        answering(said, status).depth()


def test_a_rabbitmq_that_is_gone_is_unseen_and_no_password_is_told() -> None:
    with pytest.raises(Unseen) as unseen:
        RabbitBroker("http://me:secret@127.0.0.1:1").depth()
    assert "secret" not in str(unseen.value)
