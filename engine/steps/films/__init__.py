"""films: what every run on films does: films.zarr is written and indexed, and read back by rows."""
