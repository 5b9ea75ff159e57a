"""The sink: an SMTP server that writes down every mail before its 250, and breaks on command.

Started as `python -m fake_smtp` by the experiment, spoken to over SMTP and HTTP only.
Never forwards a mail, and imports nothing of ours but the evidence format.
"""
