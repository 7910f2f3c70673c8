"""warps: maps between positions of two sections, their store, and sources that read through them."""
