"""Measures two revisions of the system in turn on this machine: `python -m chaos regress`.

The load, the sink and the judge are always those of this checkout; only `system` differs. What the
measurements mean is decided in reports/compare, from the files that are left here.
"""
