"""The command line: arguments, subcommands, exit status."""
