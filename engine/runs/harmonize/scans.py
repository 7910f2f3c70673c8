"""scans: what a harmonization is judged on: scans with their subjects and sites, read one at a time, and methods to try."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from ....errors import SettingsError
from ....stores.frame import Array, Frame
from ....stores.placement import STRAIGHT, Placement


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A scan as methods see it."""

    values: Array
    """float32 (z, y, x), with the normalisation that the run uses."""
    mask: Array
    """bool: the head."""
    brain: Array | None = None
    """bool: the brain, where its mask is there."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One scan of a subject at a site."""

    id: str
    subject: str
    site: str
    fitted: bool
    """Whether the method was fitted on it. All scans of such a subject are kept from the scores."""
    frame: Frame
    read: Callable[[], Head]
    placement: Placement = STRAIGHT
    covariates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Finite numbers, such as age; sex as 0 and 1."""


Version = Callable[[int, Head], Array]
"""(position of a source scan, the scan) -> its values as a method leaves them, float32 of the same shape."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparable:
    """Scans of the source sites and the target, with what is known of each as arrays, row by row."""

    scans: Sequence[Scan]
    """Those of the sources and the target alone, in the order that they were given."""
    target: str
    subjects: Array
    """str (n,)"""
    sites: Array
    """int (n,): 0 is the target."""
    names: tuple[str, ...]
    """Site of each number."""
    scored: Array
    """bool (n,): scans of subjects that nothing was fitted on; all, where that leaves too few."""
    cautions: tuple[str, ...]

    @property
    def sources(self) -> Array:
        """Rows of the source sites' scans."""
        return np.flatnonzero(self.sites != 0)

    @property
    def targets(self) -> Array:
        """Rows of the target's scans."""
        return np.flatnonzero(self.sites == 0)

    def fitting(self) -> Array:
        """Rows that references are fitted on: scans of fitted subjects, or all where no site is without."""
        fitted = np.array([scan.fitted for scan in self.scans])
        enough = fitted[self.sources].any() and fitted[self.targets].any()
        return np.flatnonzero(fitted) if enough else np.arange(len(self.scans))

    def reading(self, rows: Iterable[int]) -> Iterator[tuple[Array, Array]]:
        """(values, head mask) of scans, one at a time."""
        for row in rows:
            head = self.scans[row].read()
            yield head.values, head.mask


MIN_SCORED = 2
"""Fewest scored scans of the sources, and of the target."""


def comparable(scans: Sequence[Scan], sources: Sequence[str], target: str) -> Comparable:
    """The scans of these sites. Raises SettingsError (E_NO_SITE) where a site has none."""
    names = (target, *dict.fromkeys(sources))
    for name in names:
        if not any(scan.site == name for scan in scans):
            have = ", ".join(sorted({scan.site for scan in scans if scan.site})) or "none"
            raise SettingsError(
                f"no scan is of the site {name}; sites of the list are: {have}. A harmonization is judged on scans of the "
                "sites that it changes and of the one that it should reach.",
                "E_NO_SITE",
            )
    used = [scan for scan in scans if scan.site in names]
    subjects = np.array([scan.subject or scan.id for scan in used])
    sites = np.array([names.index(scan.site) for scan in used])
    fitted = np.isin(subjects, subjects[[scan.fitted for scan in used]])
    scored, cautions = ~fitted, []
    if min(int(scored[sites == 0].sum()), int(scored[sites != 0].sum())) < MIN_SCORED:
        scored = np.ones(len(used), bool)
        if fitted.any():
            cautions.append(
                "figures are of subjects that the harmonization was fitted on, as too few others are there: they say how well "
                "it fits, not how well it does on new scans"
            )
    return Comparable(used, target, subjects, sites, names, scored, tuple(cautions))
