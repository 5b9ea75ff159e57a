"""What the sink knows of one SMTP session; kept by the server, read by the faults.

Plain data: it never touches a socket or a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fake_smtp.transcript import Transcript

Stage = Literal["connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot", "stored", "quit"]
"""Where a session stands. `dot`: the mail is here and not yet stored; `stored`: on disk, not yet answered.
`quit` is only where a fault may stand: a session keeps the stage of its last mail."""

How = Literal["quit", "closed", "idle", "data_limit", "fault", "shutdown"]


@dataclass(slots=True)
class SessionState:
    """One connection, from accept to close."""

    number: int
    peer: str
    tls: str | None = None
    """The TLS version once STARTTLS has succeeded."""
    auth: Literal["ok", "rejected", "none"] = "none"
    login_plan: int = 0
    """Number of the plan that was in force at the login; tells sessions older than a fault."""
    stage: Stage = "connect"
    mails: int = 0
    mail_commands: int = 0
    recipients: list[str] = field(default_factory=list)
    """All that RCPT named since the last MAIL, refused ones too: a refusal before the headers has no key."""
    bytes_in: int = 0
    fault: str | None = None
    """The last fault that hit this session."""
    delay_s: float = 0.0
    """What a fault puts before every reply of this session."""
    bytes_per_s: int | None = None
    """How fast a fault lets the next mail be read."""
    drop_at_byte: int | None = None
    """After how many bytes of the next mail a fault cuts."""
    handshake: Literal["drop", "garbage", "hang"] | None = None
    """What a fault puts in the place of the TLS handshake."""
    hang_s: float = 0.0
    """How long a hanging handshake lasts."""
    certificate: Literal["good", "wrong_host", "expired"] = "good"
    """Which certificate a fault shows."""
    credentials: tuple[str, str] | None = None
    """The only ones that a fault lets in."""
    how: How | None = None
    """How it ended, set by whatever ends it first; None while it lives."""
    transcript: Transcript = field(default_factory=Transcript)
