"""SMTP faults at a sink, where no harness is known: one at a time, by the sink's own plan.

A breaker for the page. Each rule ends by itself after its time, so that nothing stays broken when we die.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import gevent

from loadtests.tab.breaker import IDLE
from loadtests.tab.remote import Remote, RemoteError

LOOK_EVERY_S = 0.25
STEADY_S, WINDOW_S = 4.0, 2.0
RECOVERED_SHARE = 0.9
PATIENCE_S = 30.0
MAX_HOLD_S = 600.0
NOTES, KEPT = 20, 50
OWN = ("hold_s", "probability")

Rate = Callable[[float, float], float | None]
"""Mails delivered per second between two moments (s since 1970)."""


class SinkFaults:
    """`delivered` tells the rate before and after, from which recovery is seen."""

    def __init__(self, address: str, delivered: Rate) -> None:
        self._sink = Remote(address, "the sink")
        self._delivered = delivered
        self._faults: list[dict[str, Any]] = []
        self._notes: list[dict[str, Any]] = []
        self._count = 0
        self._life: gevent.Greenlet[Any] | None = None
        self._running: dict[str, Any] | None = None
        self._watching: str | None = None
        self._trouble = ""

    def state(self) -> dict[str, Any]:
        """What goes on, and every fault with its clocks."""
        mine = {"running": self._running, "watching": self._watching, "trouble": self._trouble}
        return IDLE | mine | {"faults": self._faults[-KEPT:], "notes": self._notes[-NOTES:]}

    def catalogue(self) -> dict[str, Any]:
        """The sink's faults. Raises RemoteError."""
        faults = [_choice(fault) for fault in self._sink.get("/faults")["faults"]]
        words = (
            "scenarios, network cuts and kills: start the system with `python -m chaos up`, or give --chaos"
        )
        return {"scenarios": [], "faults": faults, "why_not": words}

    def scenario(self, name: str) -> dict[str, Any]:
        """Stories need a harness."""
        raise RemoteError(f"{name}: {self.catalogue()['why_not']}", 409)

    def fault(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """Put the fault into the sink's plan. Raises RemoteError: 404, 409, 422, or what the sink says."""
        known = {_name(fault["name"]): fault["name"] for fault in self._sink.get("/faults")["faults"]}
        if name not in known:
            raise RemoteError(f"no fault {name!r}; there are: {', '.join(known)}", 404)
        if self._running is not None:
            raise RemoteError(
                f"fault {self._running['name']} is going on: wait for its end, or heal first", 409
            )
        if self._sink.get("/plan")["rules"]:
            raise RemoteError("the sink already has a plan that somebody else made: heal first", 409)
        hold_s = _hold(given.get("hold_s", 5.0))
        clocks = self._inject(name, known[name], hold_s, given)
        if self._life is not None:
            self._life.kill()
        self._life = gevent.spawn(self._live, clocks, known[name], hold_s)
        return {"started": name}

    def heal(self, *, load_ended: bool = False) -> dict[str, Any]:
        """Clear the sink's plan and read it back. Raises RemoteError when that fails."""
        running, self._running = self._running, None
        found = [] if running else self._sink.get("/plan")["rules"]
        active = [fault for fault in self._faults if fault["active"]]
        if self._life is not None and (running or load_ended):
            self._life.kill()
            self._watching = None
        self._clear(active)
        if active and not load_ended:
            self._life = gevent.spawn(self._recover, active[-1])
        return {
            "healed": [fault["fault"] for fault in active],
            "stopped": f"fault {running['name']}" if running else None,
            "found_broken": ["the sink's plan"] if found else [],
        }

    # -- the life of a fault ----------------------------------------------------------------------------

    def _inject(self, name: str, fault: str, hold_s: float, given: dict[str, Any]) -> dict[str, Any]:
        params = {key: value for key, value in given.items() if key not in OWN}
        rule = {
            "fault": fault,
            "probability": given.get("probability", 1.0),
            "params": params,
            "until_s": hold_s,
        }
        before = self._applied(fault)
        self._sink.send("PUT", "/plan", {"seed": 1, "rules": [rule]})
        self._count += 1
        now = time.time()
        self._running = {"kind": "fault", "name": name, "since_s": now}
        clocks: dict[str, Any] = {
            "number": self._count,
            "fault": f"{fault.replace('_', '-')}-{self._count}",
            "kind": name,
            "detail": str(params),
        }
        steps = dict.fromkeys(("bite_s", "heal_s", "healed_s", "recovered_s", "recovery_s"))
        clocks |= {
            "inject_s": now,
            "proof": "",
            "not_recovered": False,
            "active": True,
            "before": before,
            **steps,
        }
        self._faults.append(clocks)
        return clocks

    def _live(self, clocks: dict[str, Any], fault: str, hold_s: float) -> None:
        """Hold it, look for its effect, end it, and see the mail come back."""
        end = time.monotonic() + hold_s
        while time.monotonic() < end:
            gevent.sleep(min(LOOK_EVERY_S, max(0.0, end - time.monotonic())))
            self._look(clocks, fault)
        if clocks["bite_s"] is None:
            self._note(f"{clocks['fault']} did not bite")
        try:
            self._clear([clocks])
        except RemoteError as error:
            self._trouble = (
                f"NOT HEALED, {clocks['fault']}: {error}; its rule ends after {hold_s:g} s by itself"
            )
            self._note(self._trouble)
            return
        finally:
            self._running = None
        self._recover(clocks)

    def _look(self, clocks: dict[str, Any], fault: str) -> None:
        try:
            count = self._applied(fault) - clocks["before"]
        except RemoteError as error:
            self._note(f"could not look: {error}")
            return
        if count > 0 and clocks["bite_s"] is None:
            clocks["bite_s"], clocks["proof"] = time.time(), f"the sink applied {fault} {count} times"

    def _clear(self, active: list[dict[str, Any]]) -> None:
        asked_s = time.time()
        self._sink.send("DELETE", "/plan")
        if self._sink.get("/plan")["rules"]:
            raise RemoteError("the sink still shows rules")
        self._trouble = ""
        for clocks in active:
            clocks |= {"heal_s": asked_s, "healed_s": time.time(), "active": False}

    def _recover(self, clocks: dict[str, Any]) -> None:
        injected_s, healed_s = clocks["inject_s"], clocks["healed_s"]
        before = self._delivered(injected_s - STEADY_S, injected_s)
        if not before:
            self._note(f"{clocks['fault']}: no mail was seen to flow before it, so nothing can recover")
            return
        self._watching = clocks["fault"]
        while time.time() - healed_s < PATIENCE_S:
            gevent.sleep(LOOK_EVERY_S)
            now = time.time()
            rate = self._delivered(now - WINDOW_S, now) if now - healed_s > WINDOW_S else None
            if rate is not None and rate >= RECOVERED_SHARE * before:
                clocks |= {"recovered_s": now, "recovery_s": round(now - healed_s, 3)}
                break
        else:
            clocks["not_recovered"] = True
        self._watching = None

    def _applied(self, fault: str) -> int:
        return int(self._sink.get("/counters")["faults"].get(fault, 0))

    def _note(self, text: str) -> None:
        self._notes.append({"at_s": time.time(), "text": text})


def _name(fault: str) -> str:
    return f"smtp-{fault.replace('_', '-')}"


def _choice(fault: dict[str, Any]) -> dict[str, Any]:
    own = {"hold_s": 5.0, "probability": 1.0, **fault["defaults"]}
    parameters = [{"name": name, "default": value, "words": "", "choices": []} for name, value in own.items()]
    return {"name": _name(fault["name"]), "group": "smtp", "summary": fault["does"], "parameters": parameters}


def _hold(value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not 0 < value <= MAX_HOLD_S:  # type: ignore[operator]
        raise RemoteError(f"hold_s: seconds, more than 0 and at most {MAX_HOLD_S:g}, not {value!r}", 422)
    return float(value)  # type: ignore[arg-type]
