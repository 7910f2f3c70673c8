"""stores: data at rest and where it lies. Knows no torch and no dask."""
