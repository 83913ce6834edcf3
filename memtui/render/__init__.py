"""Snapshots to lines of styled text, shared by the command line, the first frame and the TUI."""
