"""Compute: cores, memory and GPUs of this machine, and networks on its devices."""
