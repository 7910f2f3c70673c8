"""convert: slides or volumes to OME-Zarr; tiles that cannot be decoded are masked and counted."""
