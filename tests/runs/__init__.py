"""`memtui run` with every method on every kind of program, against what the program really took."""
