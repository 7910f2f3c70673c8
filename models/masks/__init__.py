"""Masks: tissue on slides, the head in volumes."""
