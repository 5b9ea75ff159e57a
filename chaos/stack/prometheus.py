"""How Prometheus is started as a plain process beside the stack: its command line and its configuration.

Pure, starts nothing. Jobs and rules are those of deploy/prometheus; only addresses and intervals are others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from chaos.errors import HarnessError
from chaos.paths import PROJECT
from chaos.stack.addresses import Addresses
from chaos.stack.options import StackOptions

DEPLOYED = PROJECT / "deploy" / "prometheus"
EVERY_S = 1
"""How often it scrapes and looks at the rules: runs here last seconds."""

_JOB = re.compile(r"^  - job_name: (\S+)$", re.MULTILINE)
_TARGETS = re.compile(r"targets: \[.*\]")


def argv(binary: Path, addresses: Addresses, home: Path) -> list[str]:
    """The server, keeping what it has below `home`, where prometheus.yml is."""
    return [
        str(binary),
        f"--config.file={home / 'prometheus.yml'}",
        f"--storage.tsdb.path={home / 'data'}",
        f"--web.listen-address={addresses.direct('prometheus')}",
        "--log.level=warn",
    ]


def targets(options: StackOptions, addresses: Addresses, metrics: Mapping[str, str]) -> dict[str, list[str]]:
    """HOST:PORT of everything to be scraped, by job; `metrics` are the stack's own pages by name."""
    found = {name: [addresses.direct(name)] for name in ("harness", "load")}
    for name, page in metrics.items():
        found.setdefault(name.partition("-")[0], []).append(page.split("/")[2])
    if options.monitoring:
        found["flower"] = [addresses.direct("flower")]
    if options.on_rabbitmq:
        found["rabbitmq"] = [addresses.direct("rabbitmq-metrics")]
    return found


def config(deployed: str, targets: Mapping[str, Sequence[str]]) -> str:
    """The deployed prometheus.yml for these targets; a job without any is left out.

    Raises HarnessError when there are targets of a job that is not in the file.
    """
    head, *rest = _JOB.split(deployed)
    blocks = dict(zip(rest[::2], rest[1::2], strict=True))
    if unknown := set(targets) - set(blocks):
        raise HarnessError(f"{DEPLOYED / 'prometheus.yml'} has no job {', '.join(sorted(unknown))}")
    head = re.sub(r"(scrape|evaluation)_interval: \S+", rf"\1_interval: {EVERY_S}s", head)
    head = re.sub(r"scrape_timeout: \S+", f"scrape_timeout: {EVERY_S}s", head)
    head = head.replace("- rules/", f"- {DEPLOYED}/rules/")
    jobs = [
        f"  - job_name: {name}{_TARGETS.sub(f'targets: {list(targets[name])}', block)}"
        for name, block in blocks.items()
        if name in targets
    ]
    return head + "".join(jobs)
