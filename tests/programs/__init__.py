"""Test programs: small, capped, ending by themselves, and telling what they allocated.

Each is started as `python -S FILE name=value ...` (tests/support/programs.py does it) and imports
next to nothing. It refuses to allocate more than its cap, and an alarm ends it after `seconds`.
On stdout comes one line per step, `what number`: bytes that were touched, or a PID.
"""
