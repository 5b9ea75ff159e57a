"""The harness's page for Prometheus, as Prometheus's own parser reads it."""

from __future__ import annotations

import socket

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from chaos import exposition
from chaos.commands import running
from chaos.errors import HarnessError, UsageError
from chaos.live import Live
from chaos.prepare import Wish, prepare
from chaos.stack.ports import HOST, Ports


def samples(page: bytes) -> dict[str, float]:
    return {
        ",".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def broken(live: Live, fault: str = "kill-redis-1", kind: str = "kill-redis") -> None:
    live.see("inject", {"fault": fault, "kind": kind, "detail": ""})


def test_a_fault_is_active_until_it_is_healed_and_then_tells_its_recovery() -> None:
    live = Live()
    broken(live)
    name = "kill-redis-1,kill-redis"
    now = samples(exposition.page(live))
    assert now[f"chaos_fault_active,{name}"] == 1
    assert now["chaos_faults_total,kill-redis"] == 1
    assert f"chaos_fault_healed_timestamp_seconds,{name}" not in now
    assert f"chaos_fault_recovery_seconds,{name}" not in now
    live.see("healed", {"fault": "kill-redis-1", "read_back": "it answers"})
    live.see("recovered", {"fault": "kill-redis-1", "after_s": 1.25})
    now = samples(exposition.page(live))
    assert now[f"chaos_fault_active,{name}"] == 0
    assert now[f"chaos_fault_recovery_seconds,{name}"] == 1.25
    injected = now[f"chaos_fault_injected_timestamp_seconds,{name}"]
    assert injected <= now[f"chaos_fault_healed_timestamp_seconds,{name}"]


def test_days_of_faults_do_not_grow_the_page_without_end() -> None:
    live = Live()
    for number in range(exposition.KEPT + 30):
        broken(live, f"kill-redis-{number}")
    now = samples(exposition.page(live))
    assert sum(name.startswith("chaos_fault_active") for name in now) == exposition.KEPT
    assert now["chaos_fault_active,kill-redis-79,kill-redis"] == 1
    assert now["chaos_faults_total,kill-redis"] == exposition.KEPT + 30, "all are counted"


def test_exactly_one_phase_and_one_verdict_are_on() -> None:
    live = Live()
    live.see("phase", {"name": "flood"})
    now = samples(exposition.page(live))
    assert [name for name, value in now.items() if name.startswith("chaos_phase") and value] == [
        "chaos_phase,flood"
    ]
    verdicts = {name: value for name, value in now.items() if name.startswith("chaos_verdict_so_far")}
    assert verdicts == {
        "chaos_verdict_so_far,fail": 0,
        "chaos_verdict_so_far,unknown": 1,
        "chaos_verdict_so_far,pass": 0,
    }
    live.so_far.end("pass")
    assert samples(exposition.page(live))["chaos_verdict_so_far,pass"] == 1


def test_mails_that_nobody_has_seen_are_not_zero() -> None:
    live = Live()
    assert not any(name.startswith("chaos_mails") for name in samples(exposition.page(live)))
    live.so_far.see("sink", {"sink_messages_stored_total": 3, "sink_duplicates_total": 1})
    now = samples(exposition.page(live))
    assert (now["chaos_mails,delivered"], now["chaos_mails,duplicates"]) == (2, 1)
    assert "chaos_mails,accepted" not in now


def test_the_port_shows_the_run_that_goes_on_and_is_free_afterwards() -> None:
    ports = Ports()
    port = ports.take()
    shown = []

    def act(wish: Wish, show: running.Show) -> int:
        for fault in ("kill-redis-1", "kill-redis-2"):
            live = Live()
            broken(live, fault)
            show(live)
            answer = requests.get(f"http://{HOST}:{port}/metrics", timeout=5)
            shown.append([name for name in samples(answer.content) if "fault_active" in name])
        return 0

    assert running.watched(act, Wish("calm", metrics_port=port)) == 0
    assert shown == [
        ["chaos_fault_active,kill-redis-1,kill-redis"],
        ["chaos_fault_active,kill-redis-2,kill-redis"],
    ]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port))
    ports.release()


def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(HarnessError, match=f"--metrics-port {port} cannot be had .*another port"):
            running.watched(lambda wish, show: 0, Wish("calm", metrics_port=port))


def test_a_port_that_cannot_be_is_refused_before_anything_starts() -> None:
    with pytest.raises(UsageError, match="--metrics-port 70000"):
        prepare(Wish("calm", metrics_port=70000), {})
