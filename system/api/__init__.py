"""The HTTP side: accepts jobs, says how they stand, tells its own health. Never sends a mail."""
