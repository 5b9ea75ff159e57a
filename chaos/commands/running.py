"""`run` and `suite`: experiments, their verdicts, and where the reports are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from chaos import servers
from chaos.commands import flags
from chaos.commands.flags import say
from chaos.errors import EXIT_FAIL, EXIT_HARNESS, EXIT_UNKNOWN, HarnessError, ServerMissing
from chaos.experiment import nobody, run_experiment
from chaos.exposition import serving
from chaos.keeping import keep
from chaos.live import Live
from chaos.prepare import Wish, prepare
from chaos.scenarios import STANDARD_SUITE
from reports import table
from reports.render import REPORT_HTML
from reports.verdict import Verdict


def add(sub: flags.Subparsers) -> None:
    """Add both commands."""
    one = sub.add_parser("run", help="run one scenario and judge it")
    one.add_argument("scenario", help="see `list`")
    flags.experiment(one)
    one.add_argument("--rate", type=float, metavar="PER_S", help="jobs offered per second")
    one.add_argument("--duration", type=float, metavar="S", help="shortest length of the flood")
    one.set_defaults(act=lambda args: watched(run, flags.wish(args, args.scenario)))

    several = sub.add_parser("suite", help="run the standard suite and print one table")
    flags.experiment(several)
    several.set_defaults(act=lambda args: watched(suite, flags.wish(args, scenario="")))


Show = Callable[[Live], None]


def watched(act: Callable[[Wish, Show], int], wish: Wish) -> int:
    """Act, and serve /metrics meanwhile if a port is wished for."""
    with serving(wish.metrics_port) as page:
        return act(wish, page.show)


def run(wish: Wish, show: Show = nobody) -> int:
    """Run one scenario, print its verdict and where the report is."""
    ended = run_experiment(prepare(replayable(wish), servers.find_all()), show)
    keep(ended.verdict.run_dir, wish.out)
    table.render([ended.verdict])
    return ended.verdict.exit_code


def suite(wish: Wish, show: Show = nobody) -> int:
    """Run the standard suite one after the other and print one table; the worst end decides."""
    found = servers.find_all(get=True)
    verdicts: list[Verdict] = []
    codes: list[int] = []
    for name in STANDARD_SUITE[wish.broker]:
        out = wish.out / name if wish.out else None
        try:
            ended = run_experiment(
                prepare(replayable(dataclasses.replace(wish, scenario=name, out=out)), found), show
            )
        except ServerMissing as error:
            say(f"{name}: unknown: {error}\n")
            codes.append(EXIT_UNKNOWN)
            continue
        except HarnessError as error:
            say(f"{name}: the harness failed: {error}\n")
            codes.append(EXIT_HARNESS)
            break
        keep(ended.verdict.run_dir, wish.out)
        verdicts.append(ended.verdict)
        codes.append(ended.verdict.exit_code)
        say(f"{name}: {ended.verdict.verdict}; report: {ended.verdict.run_dir / REPORT_HTML}\n")
        if ended.interrupted:
            codes.append(EXIT_UNKNOWN)  # of the scenarios that never ran
            break
    table.render(verdicts)
    return worst(codes)


def worst(codes: list[int]) -> int:
    """One exit code for several: the harness failed, fail, unknown, pass; none at all is unknown."""
    return next(
        (code for code in (EXIT_HARNESS, EXIT_FAIL, EXIT_UNKNOWN) if code in codes), 0 if codes else 2
    )


def replayable(wish: Wish) -> Wish:
    """The wish with the command that repeats it."""
    words = ["python", "-m", "chaos", "run", wish.scenario, "--seed", str(wish.seed)]
    words += ["--delivery", wish.delivery, "--broker", wish.broker, "--lease", f"{wish.lease_s:g}"]
    words += ["--rate", f"{wish.rate_per_s:g}"] if wish.rate_per_s is not None else []
    words += ["--duration", f"{wish.duration_s:g}"] if wish.duration_s is not None else []
    words += [] if wish.receipts else ["--no-receipts", "--doubt-policy", wish.doubt_policy]
    words += ["--arrivals", wish.arrivals] if wish.arrivals != "constant" else []
    words += ["--mix", wish.mix] if wish.mix else []
    words += ["--processes", str(wish.processes)] if wish.processes != 1 else []
    words += [word for limit in wish.limits for word in ("--limit", limit)]
    words += ["--allow-unavoidable"] if wish.allow_unavoidable else []
    return dataclasses.replace(wish, command=tuple(words))
