"""Search: the cases of a run most similar to a query, and the index that finds them."""
