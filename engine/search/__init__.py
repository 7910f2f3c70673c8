"""Search: the cases of a run most like a given one, and the index that finds them."""
