"""Clustering of embeddings: their principal components, merging along the graph of neighbours, division into fine clusters."""
