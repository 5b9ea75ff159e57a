"""What the promise costs: the system against the bare thing that promises nothing. See README.md."""
