"""Maintenance: describes files and folders, reports a run's progress, verifies its files and repairs them."""
