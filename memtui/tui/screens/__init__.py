"""Full screens and dialogs of the TUI."""
