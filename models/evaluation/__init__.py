"""Evaluation: validity of clusters, agreement, probes and retrieval."""
