"""Measurements that are run by hand: `python -m tools.benchmarks.NAME`."""
