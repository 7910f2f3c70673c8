"""runs: one file for each run that the command line offers."""
