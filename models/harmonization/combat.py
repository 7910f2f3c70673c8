"""combat: ComBat on embeddings (Johnson et al. 2007; Fortin et al. 2018): sites get one mean and one variance a number.

neuroHarmonize computes it. It is fitted on some scans and applied to others of the same sites; effects of covariates, such as
age, are estimated along and stay in.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
MIN_SCANS = 3
"""Fewest scans of a site that ComBat is fitted on: it needs their variance."""


@dataclass(frozen=True, slots=True, eq=False)
class Combat:
    """A fitted ComBat."""

    model: dict[str, Any]
    """As neuroHarmonize keeps it."""
    sites: frozenset[int]
    varying: Array
    """bool (F,): numbers of the embedding that vary within a site; others stay as they are."""

    def apply(self, embeddings: Array, sites: Array, covariates: Array | None = None) -> Array:
        """Embeddings (n, F) of scans of the fitted sites without the sites' effects, float64.

        Raises ValueError for a site that it was not fitted on.
        """
        from neuroHarmonize import harmonizationApply

        if foreign := set(np.unique(sites).tolist()) - self.sites:
            raise ValueError(f"ComBat was fitted on the sites {sorted(self.sites)}, not on {sorted(foreign)}")
        adjusted = embeddings.astype(np.float64)
        with _silent():
            table = _table(sites, covariates)
            adjusted[:, self.varying] = harmonizationApply(adjusted[:, self.varying], table, self.model)
        return adjusted


def fit_combat(embeddings: Array, sites: Array, covariates: Array | None = None) -> Combat:
    """Fit ComBat to embeddings (n, F) of scans with `sites` int (n,) and `covariates` (n, C), finite numbers.

    Raises ValueError where `why_not` gives a reason.
    """
    from neuroHarmonize import harmonizationLearn

    if reason := why_not(embeddings, sites, covariates):
        raise ValueError(reason)
    varying = _varying(embeddings, sites)
    with _silent():
        table = _table(sites, covariates)
        model, _ = harmonizationLearn(embeddings[:, varying].astype(np.float64), table, seed=0)
    return Combat(model, frozenset(np.unique(sites).tolist()), varying)


def why_not(embeddings: Array, sites: Array, covariates: Array | None = None) -> str:
    """Why ComBat cannot be fitted to these scans; empty where it can."""
    names, counts = np.unique(sites, return_counts=True)
    if len(names) < 2 or counts.min() < MIN_SCANS:
        smallest = int(counts.min()) if len(counts) else 0
        return (
            f"ComBat needs two sites with {MIN_SCANS} scans each; there are {len(names)}, the smallest with {smallest}"
        )
    design = np.column_stack([sites[:, None] == names, *([] if covariates is None else [covariates])]).astype(
        np.float64
    )
    if np.linalg.matrix_rank(design / np.maximum(np.abs(design).max(0), 1e-12)) < design.shape[1]:
        return "covariates follow from the site, or from each other: ComBat cannot tell their effects apart"
    if not _varying(embeddings, sites).any():
        return "no number of the embedding varies within every site: ComBat has nothing to adjust"
    return ""


def _varying(embeddings: Array, sites: Array) -> Array:
    least = 1e-9 * (float(np.abs(embeddings).max()) or 1.0)
    return np.asarray(np.all([embeddings[sites == site].std(0) > least for site in np.unique(sites)], axis=0))


def _table(sites: Array, covariates: Array | None) -> Any:
    """The table of sites and covariates that neuroHarmonize wants."""
    import pandas as pd

    columns = {} if covariates is None else {f"covariate {i}": column for i, column in enumerate(covariates.T)}
    return pd.DataFrame({"SITE": sites, **columns})


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """neuroHarmonize prints its progress; a library does not."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
