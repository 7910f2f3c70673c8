"""models: networks, losses, training and evaluation. It reads and writes its own checkpoints only; no zarr, no dask."""
