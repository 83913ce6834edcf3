"""Scripts for those who work on memtui; run them from the top: `python -m tools.NAME`."""
