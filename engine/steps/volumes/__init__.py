"""Preprocessing of whole volumes for networks: mask, intensity range, alignment and resampling to one grid."""
