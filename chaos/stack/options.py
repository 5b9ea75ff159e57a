"""What can be chosen about a stack. Data only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StackOptions:
    """The choices, with the local stack's defaults. Times in seconds."""

    delivery: str = "ledger"
    receipts: bool = True
    doubt_policy: str = "hold"
    workers: int = 2
    concurrency: int = 6
    lease_s: float = 8.0
    data_limit_s: float = 4.0
    smtp_timeout_s: float = 3.0
    sink_latency_s: float = 0.0
    visibility_timeout_s: int = 8
    api_port: int = 0
