"""Loads the Lua transitions that lie beside it and runs them.

Used by the ledger only. Every script is `lua/_common.lua` plus one file; `_common.lua` is never run alone.
Never decides anything: what a transition means stands in its own header.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import Any

import redis
from redis.exceptions import NoScriptError

# Only routes the script to the right node of a cluster; the scripts name their keys themselves.
ROUTE = "{mail}:due"


@lru_cache
def source(name: str) -> tuple[str, str]:
    """The text of transition `name` and its SHA-1 as Redis counts it."""
    folder = files("system.delivery").joinpath("lua")
    text = folder.joinpath("_common.lua").read_text() + "\n" + folder.joinpath(f"{name}.lua").read_text()
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def run(client: redis.Redis, name: str, *args: str | int | float | bytes) -> list[Any]:
    """Runs transition `name`; may run it twice when a reply is lost, which every script allows for.

    Raises:
        redis.RedisError: the answer is unknown; the change may or may not have been made.

    """
    text, sha = source(name)
    try:
        answer = client.evalsha(sha, 1, ROUTE, *args)
    except NoScriptError:
        answer = client.eval(text, 1, ROUTE, *args)
    return list(answer)
