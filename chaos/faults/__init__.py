"""One file per kind of fault. To add one, copy `noop`."""
