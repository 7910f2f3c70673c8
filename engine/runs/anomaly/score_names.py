"""scores: the names of all scores; higher is less like the images that were trained on."""

from __future__ import annotations

SHOWN = "pasted_neighbours"
"""The score that galleries and maps are sorted by: of radiographs it was the steadier one over seeds (docs/benchmarks.md)."""
OF_VAE = ("negative_elbo", "iwae", "entropy_corrected", "complexity", "regret", "reconstruction")
OF_SPOTTERS = ("pasted", "pasted_neighbours", "pasted_both")
NAMES = (*OF_SPOTTERS, *OF_VAE)
"""Scores of films."""
QUICK_OF_VAE = ("negative_elbo", "iwae", "entropy_corrected", "reconstruction")
QUICK_NAMES = (*OF_SPOTTERS, *QUICK_OF_VAE)
"""Scores of tiles and slices, of which there are many: no file is packed and no latent variable searched for."""
PROPERTIES = ("mean_intensity", "pixel_entropy", "packed_bytes")
"""Properties of the grey values of tiles and slices, which need no model."""


def called(name: str) -> str:
    """A score or a property as people call it."""
    return {"negative_elbo": "−ELBO", "iwae": "−IWAE"}.get(name, name.replace("_", " "))
