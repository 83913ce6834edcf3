"""What has threads, children, files or clocks; never Textual."""
