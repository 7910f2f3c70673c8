"""VERSION: the one place that says which release this is; it imports nothing, so that packaging can read it."""

VERSION = "0.1.0"
