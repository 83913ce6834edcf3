"""memtui: how near the memory limit is, what uses it, what was killed, and what to do."""

__version__ = "0.1.0"
