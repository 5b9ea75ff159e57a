"""Attacks on a running sink, over SMTP and over its control port: `python -m tests.fuzz --help`."""
