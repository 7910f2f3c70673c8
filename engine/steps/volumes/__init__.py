"""Whole volumes on one grid: range, pose and mask, as the networks of whole volumes see them."""
