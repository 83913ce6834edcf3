"""The proof that memtui names who was OOM-killed: real kills, and a table of how each was told."""
