"""Other kernels than this machine's, booted by user-mode-linux, and the suite in each of them."""
