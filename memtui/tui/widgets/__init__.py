"""Line-rendering widgets of the TUI."""
