"""Anomaly: how unlike the films of a training set a film is, as a score of a film and as a map of its pixels."""
