"""Workers: processes of this machine, dask clusters and queues that do units, and gangs of training ranks."""
