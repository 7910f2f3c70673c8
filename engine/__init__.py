"""engine: plans and runs. The only room that knows both stores and models, and the only one that knows dask."""
