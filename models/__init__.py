"""models: what tiles mean. Knows no files but its own checkpoints, no zarr and no dask."""
