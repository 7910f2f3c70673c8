"""Networks, each whole in one file."""
