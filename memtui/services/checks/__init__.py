"""What `memtui doctor` looks at: one function for each finding."""
