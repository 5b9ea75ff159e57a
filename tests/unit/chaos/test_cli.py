"""Bad requests: a clear word, the right exit code, and nothing started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos import servers
from chaos.__main__ import main, parser
from chaos.commands import flags, listing, running
from chaos.commands.running import worst
from chaos.errors import EXIT_HARNESS, EXIT_UNKNOWN, EXIT_USAGE, HarnessError, ServerMissing, UsageError
from chaos.experiment import Ended
from chaos.prepare import Wish, prepare
from chaos.scenarios import SCENARIOS, STANDARD_SUITE
from reports.plan import load_plan, store_plan

FOUND = {name: servers.Found(name, Path("/bin/true")) for name in ("redis-server", "toxiproxy-server")}


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["run", "kill-everybody"], "unknown scenario 'kill-everybody'; there are: calm, kill-workers"),
        (["run", "calm", "--rate", "0"], "--rate 0"),
        (["run", "calm", "--rate", "-3"], "--rate -3"),
        (["run", "calm", "--rate", "nan"], "--rate nan"),
        (["run", "calm", "--duration", "0"], "--duration 0"),
        (["run", "calm", "--duration", "inf"], "--duration inf"),
        (["run", "calm", "--lease", "4"], "--lease 4"),
        (["run", "calm", "--seed", "-1"], "--seed -1"),
        (["run", "calm", "--doubt-policy", "resend"], "only with --no-receipts"),
        (["run", "calm", "--out", "/dev/null/x"], "--out /dev/null/x"),
        (["run", "calm", "--limit", "speed:p(99)<5"], "there is no metric 'speed'"),
        (["run", "calm", "--limits", "/none"], "/none"),
        (["run", "calm", "--arrivals", "flood"], "unknown arrivals 'flood'"),
        (["run", "calm", "--mix", "email=many"], "a weight is needed"),
        (["run", "calm", "--processes", "0"], "--processes 0"),
    ],
)
def test_a_wish_that_makes_no_sense(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == EXIT_USAGE
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["dance"],
        ["run"],
        ["run", "calm", "--delivery", "magic"],
        ["run", "calm", "--rate", "fast"],
        ["suite", "--broker", "kafka"],
        ["up", "--broker", "kafka"],
    ],
)
def test_wrong_usage_exits_with_64(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == EXIT_USAGE
    assert "mailstorm" in capsys.readouterr().err


def test_evidence_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deliveries.jsonl").write_text("precious")
    assert main(["run", "calm", "--out", str(tmp_path)]) == EXIT_USAGE
    assert "not empty" in capsys.readouterr().err
    assert (tmp_path / "deliveries.jsonl").read_text() == "precious"


def test_judging_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", str(tmp_path)]) == EXIT_USAGE
    assert "plan.json" in capsys.readouterr().err


def test_a_missing_server_makes_only_the_scenarios_that_need_it_unknown(tmp_path: Path) -> None:
    without = FOUND | {"toxiproxy-server": servers.Found("toxiproxy-server", None, ("PATH",), "Install it.")}
    assert prepare(Wish("calm", out=tmp_path / "calm"), without).scenario.name == "calm"
    with pytest.raises(ServerMissing, match=r"toxiproxy-server cannot be had. Tried: PATH. Install it."):
        prepare(Wish("sever-redis", out=tmp_path / "sever"), without)


def test_only_a_run_on_rabbitmq_needs_it(tmp_path: Path) -> None:
    missing = servers.Found("rabbitmq-server", None, ("PATH",), "Install it.")
    found = FOUND | {"rabbitmq-server": missing}
    assert prepare(Wish("sever-broker", out=tmp_path / "redis"), found).plan.broker == "redis"
    with pytest.raises(ServerMissing, match=r"rabbitmq-server cannot be had. Tried: PATH. Install it."):
        prepare(Wish("calm", broker="rabbitmq", out=tmp_path / "x"), found)
    found["rabbitmq-server"] = servers.Found("rabbitmq-server", Path("/bin/true"))
    run = prepare(Wish("calm", broker="rabbitmq", out=tmp_path / "y"), found)
    assert run.options.on_rabbitmq
    store_plan(run.folder, run.plan)
    assert load_plan(run.folder).broker == "rabbitmq"


def test_a_machine_without_rabbitmq_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(servers, "DEBIANS_RABBITMQ", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install rabbitmq-server" in servers.rabbitmq_server().missing()
    own = tmp_path / "rabbitmq-server"
    own.touch(mode=0o755)
    assert servers.rabbitmq_server().path == own


def test_an_unknown_broker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--broker kafka: one of redis, rabbitmq"):
        prepare(Wish("calm", broker="kafka", out=tmp_path / "x"), FOUND)


def test_an_unknown_delivery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--delivery magic"):
        prepare(Wish("calm", delivery="magic", out=tmp_path / "x"), FOUND)


def test_the_plan_asks_for_half_of_what_is_offered(tmp_path: Path) -> None:
    plan = prepare(Wish("calm", rate_per_s=100, duration_s=30, out=tmp_path / "x"), FOUND).plan
    assert plan.thresholds.min_accepted == 1500


@pytest.mark.parametrize(("broker", "third"), [("redis", "sever-redis"), ("rabbitmq", "sever-broker")])
def test_the_suite_is_the_five_and_severs_the_broker_in_use(broker: str, third: str) -> None:
    suite = STANDARD_SUITE[broker]
    assert suite == ("calm", "kill-workers", third, "break-smtp-login", "drop-after-dot")
    assert set(suite) <= set(SCENARIOS)


def test_the_worst_verdict_decides_and_none_is_unknown() -> None:
    assert [worst(codes) for codes in ([0, 0], [0, 2], [2, 1, 0], [1, 3], [])] == [0, 2, 1, 3, 2]


def test_a_crash_of_the_harness_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash() -> int:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(listing, "list_scenarios", crash)
    assert main(["list"]) == EXIT_HARNESS
    assert "a bug of ours" in capsys.readouterr().err


@dataclass
class Passed:
    verdict: str = "pass"
    exit_code: int = 0
    run_dir: Path = Path()


@pytest.mark.parametrize(
    ("end", "code", "ran"),
    [
        (Ended(Passed(), interrupted=False), 0, 5),
        (Ended(Passed(), interrupted=True), EXIT_UNKNOWN, 1),
        (HarnessError("no way"), EXIT_HARNESS, 1),
        (ServerMissing("no redis"), EXIT_UNKNOWN, 5),
    ],
)
def test_a_suite_that_did_not_run_whole_never_passes(
    monkeypatch: pytest.MonkeyPatch, end: Ended | Exception, code: int, ran: int
) -> None:
    seen: list[str] = []

    def run(wish: Wish, _: object) -> Ended:
        seen.append(wish.scenario)
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr(running, "prepare", lambda wish, _: wish)
    monkeypatch.setattr(running, "run_experiment", run)
    monkeypatch.setattr(running.table, "render", lambda _: None)
    monkeypatch.setattr(running, "keep", lambda *_: None)
    assert running.suite(Wish("")) == code
    assert len(seen) == ran


def test_thresholds_come_from_a_file_and_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "limits").write_text("# ours\nlost:count==0\n\n")
    args = parser().parse_args(
        ["run", "calm", "--limits", str(tmp_path / "limits"), "--limit", "e2e_seconds:p(99)<5"]
    )
    wish = flags.wish(args, "calm")
    assert wish.limits == ("lost:count==0", "e2e_seconds:p(99)<5")
    assert running.replayable(wish).command[-4:] == (
        "--limit",
        "lost:count==0",
        "--limit",
        "e2e_seconds:p(99)<5",
    )


def test_a_replay_names_everything_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    wishes: list[Wish] = []

    def run(wish: Wish, _: object) -> Ended:
        wishes.append(wish)
        return Ended(Passed(), interrupted=False)

    monkeypatch.setattr(running, "prepare", lambda wish, _: wish)
    monkeypatch.setattr(running, "run_experiment", run)
    monkeypatch.setattr(running.table, "render", lambda _: None)
    monkeypatch.setattr(running, "keep", lambda *_: None)
    running.suite(Wish("", broker="rabbitmq", seed=4, rate_per_s=30))
    assert [wish.scenario for wish in wishes] == list(STANDARD_SUITE["rabbitmq"])
    words = " ".join(wishes[2].command)
    assert words.startswith("python -m chaos run sever-broker --seed 4 ")
    assert "--broker rabbitmq" in words
    assert "--rate 30" in words
