"""Readers of /proc and /sys, and raw system calls. No policy, no threads."""
