"""The bare Celery task that the system is compared with: it sends one mail, and promises nothing.

Run by `celery -A benchmarks.bare_worker worker`, and published to by bare_api.py. Celery's defaults, except
that no result is kept (the system keeps none either).
"""

from __future__ import annotations

import os
import smtplib
from email.message import EmailMessage

from celery import Celery

SENDER = "bench@mailstorm.test"

app = Celery("bare", broker=os.environ.get("BROKER_URL"))
app.conf.task_ignore_result = True


def written(to: str, subject: str, body: str) -> bytes:
    """The mail as Python's own library writes it; with BARE_MAIL=text as an f-string, the least there is."""
    if os.environ.get("BARE_MAIL") == "text":
        return f"From: {SENDER}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{body}".encode()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, to, subject
    message.set_content(body)
    return message.as_bytes()


@app.task  # type: ignore[untyped-decorator]
def send_mail(to: str, subject: str, body: str) -> None:
    """Connects, says EHLO, sends, quits."""
    host, port = os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])
    # A given name spares smtplib from asking the DNS for ours, for each mail.
    with smtplib.SMTP(host, port, local_hostname="localhost", timeout=5) as smtp:
        smtp.sendmail(SENDER, [to], written(to, subject, body))
