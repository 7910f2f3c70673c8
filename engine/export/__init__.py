"""Exports: results of a run in the formats of other programs; the results themselves stay as they are."""
