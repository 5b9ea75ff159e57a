"""Compares two runs, or two sides of one measurement: base and head.

Called by `python -m chaos compare` and `regress`. Pure: reads run folders, never runs anything, and gives
the same answer for the same files.
"""
