"""Workers: where units are done; processes of this machine, dask clusters, queues, gangs of training ranks."""
