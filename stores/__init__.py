"""stores: images, tables and documents on disks and in object stores, and readers of foreign files. No torch, no dask."""
