"""What can be started by hand: every scenario, and every single fault with its parameters and defaults.

Asked by the control API. Checks what a person typed; never starts anything by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from chaos import http
from chaos.control.live_stage import LiveStage
from chaos.faults.network import MODES
from chaos.scenarios import SCENARIOS
from chaos.scenarios.base import Scenario
from chaos.stack.addresses import PROXIES
from chaos.stack.local import LocalStack
from fake_smtp.plan import Rule

MAX_HOLD_S = 600.0
MODE_WORDS = {
    "down": "connections refused and closed",
    "silent": "connections stay open, every byte is swallowed",
    "reset": "connections end with a reset",
}


class ParameterError(ValueError):
    """A parameter that cannot be; the words say which would be right."""


@dataclass(frozen=True)
class Parameter:
    """One parameter; its type is that of its default. `choices`: only one of these."""

    name: str
    default: Any
    words: str = ""
    choices: tuple[str, ...] = ()

    def checked(self, value: object) -> Any:
        """Return the value, as the type of the default. Raises ParameterError."""
        if self.choices and value not in self.choices:
            raise ParameterError(f"{self.name}: one of {', '.join(self.choices)}, not {value!r}")
        if isinstance(self.default, bool) or not isinstance(self.default, int | float):
            if self.default is not None and type(value) is not type(self.default):
                raise ParameterError(f"{self.name}: like {self.default!r}, not {value!r}")
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ParameterError(f"{self.name}: a number is needed, not {value!r}")
        return value


HOLD = Parameter("hold_s", 5.0, f"seconds until it is healed, more than 0 and at most {MAX_HOLD_S:g}")


@dataclass(frozen=True)
class Choice:
    """One single fault that can be started; `act` gets every parameter, checked."""

    name: str
    group: str
    summary: str
    parameters: tuple[Parameter, ...]
    act: Callable[[LiveStage, Mapping[str, Any]], None] = field(repr=False)

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters with their defaults. Raises ParameterError for one that is unknown or wrong."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise ParameterError(f"{self.name} has no parameter {name!r}; it has: {', '.join(known)}")
        values = {name: each.checked(given.get(name, each.default)) for name, each in known.items()}
        if not 0 < values.get("hold_s", 1) <= MAX_HOLD_S:
            raise ParameterError(f"hold_s: {HOLD.words}")
        if not 0 < values.get("probability", 1) <= 1:
            raise ParameterError("probability: more than 0 and at most 1")
        return values

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "name": self.name,
            "group": self.group,
            "summary": self.summary,
            "parameters": [asdict(parameter) for parameter in self.parameters],
        }


def scenarios(stack: LocalStack) -> list[dict[str, Any]]:
    """Every story, and why one cannot be told on this stack (null: it can)."""
    return [
        {"name": each.name, "summary": each.summary, "why_not": why_not(each, stack)}
        for each in SCENARIOS.values()
    ]


def why_not(scenario: Scenario, stack: LocalStack) -> str | None:
    """What this stack lacks for the story."""
    if "toxiproxy-server" in scenario.needs and stack.network is None:
        return "this stack runs without Toxiproxy"
    return None


def single_faults(stack: LocalStack) -> dict[str, Choice]:
    """Every single fault by name. Raises requests.RequestException when the sink does not answer."""
    found = [*_network(stack), *_processes(stack), *_smtp(stack)]
    return {choice.name: choice for choice in found}


def cuts() -> dict[str, list[str]]:
    """The names of what can be cut, each with its proxies: one connection, one server, or all."""
    servers = sorted({proxy.partition("-")[0] for proxy in PROXIES})
    several = {
        f"{server}-all": [proxy for proxy in PROXIES if proxy.startswith(f"{server}-")] for server in servers
    }
    whole = {name: proxies for name, proxies in several.items() if len(proxies) > 1}
    return whole | {proxy: [proxy] for proxy in PROXIES} | {"all": list(PROXIES)}


def _network(stack: LocalStack) -> list[Choice]:
    if stack.network is None:
        return []
    made = []
    for mode in MODES:

        def act(stage: LiveStage, values: Mapping[str, Any], mode: str = mode) -> None:
            stage.sever(values["who"], cuts()[values["who"]], mode, values["hold_s"])

        who = Parameter("who", "redis-all", "what is reached, and by whom", tuple(cuts()))
        made.append(Choice(f"sever-{mode}", "network", MODE_WORDS[mode], (HOLD, who), act))
    return made


def _processes(stack: LocalStack) -> list[Choice]:
    names = tuple(worker.spec.name for worker in stack.workers)
    worker = Parameter("worker", names[0], "which worker", names)
    everyone = Parameter("worker", names[0], "which worker, or all", (*names, "all"))

    def chosen(stage: LiveStage, values: Mapping[str, Any]) -> list[Any]:
        return [each for each in stage.workers if values["worker"] in (each.spec.name, "all")]

    return [
        Choice(
            "kill-child",
            "processes",
            "SIGKILL one child of a worker's pool",
            (worker,),
            lambda stage, values: stage.kill_child(*chosen(stage, values)),
        ),
        Choice(
            "kill-group",
            "processes",
            "SIGKILL a worker with all its children",
            (everyone,),
            lambda stage, values: stage.kill_group(*chosen(stage, values)),
        ),
        Choice("kill-redis", "processes", "SIGKILL Redis", (), lambda stage, _: stage.kill_redis()),
    ]


def _smtp(stack: LocalStack) -> list[Choice]:
    told = http.get_json(f"{stack.sink.control}/faults", 3.0)["faults"]
    share = Parameter("probability", 1.0, "share of the mails that it hits, more than 0 and at most 1")
    made = []
    for fault in told:

        def act(stage: LiveStage, values: Mapping[str, Any], fault: str = fault["name"]) -> None:
            params = {name: value for name, value in values.items() if name not in ("hold_s", "probability")}
            stage.break_smtp(Rule(fault, values["probability"], params=params), values["hold_s"])

        own = tuple(Parameter(name, default) for name, default in fault["defaults"].items())
        name = f"smtp-{fault['name'].replace('_', '-')}"
        made.append(Choice(name, "smtp", fault["does"], (HOLD, share, *own), act))
    return made
