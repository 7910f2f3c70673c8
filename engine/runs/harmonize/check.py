"""check: what cannot be harmonized, before any work."""

from __future__ import annotations

from ....errors import SettingsError
from ...pipeline.job import Job
from ...steps.volumes.prepare import check_one_channel
from .settings import HarmonizeSettings
from .sites import check_sites, sites_of

BRIGHTFIELD = ("uint8", 3, 255)
"""Dtype, channels and background of slides that can be harmonized."""
UNEVEN = 0.1
"""Relative difference of the sites' spacing that is said."""


def check(job: Job[HarmonizeSettings]) -> None:
    """Raises SettingsError for sites that are unknown or too small, and for pixels that are not stored."""
    if job.pixels == "none":
        raise SettingsError("--pixels none keeps no pixels, and harmonize writes a version of them: use all or tissue.")
    check_sites(job)
    other = [
        r for r in job.slides.values() if job.modality.planar and (r.dtype, r.channels, r.background) != BRIGHTFIELD
    ]
    if other:
        raise SettingsError(
            f"{other[0].name} and {len(other) - 1} more: {other[0].channels} channels of "
            f"{other[0].dtype}, background {other[0].background}. Slides are harmonized in the colours of a bright field: "
            "three channels of uint8 on white. Leave the others out.",
            "E_CHANNELS",
        )
    labels = [record.name for record in job.slides.values() if record.labels]
    if labels:
        raise SettingsError(
            f"{labels[0]}{f' and {len(labels) - 1} more' if len(labels) > 1 else ''} are label maps: their numbers name "
            "regions and cannot be harmonized. Leave them out, or use --labels none.",
            "E_LABELS",
        )


def check_sampled(job: Job[HarmonizeSettings]) -> None:
    """Raises SettingsError for volumes of several channels."""
    if not job.modality.planar:
        check_one_channel(job)


def uneven_spacing(job: Job[HarmonizeSettings]) -> str:
    """What the report says of sites whose voxels differ in size; empty where they do not."""
    sites = sites_of(job)
    target = [job.slides[image].spacing for image in sites.of_site[sites.target]]
    for site in sites.sources:
        for image in sites.of_site[site]:
            ratios = [a / b for a, b in zip(job.slides[image].spacing, target[0], strict=True)]
            if max(*ratios, *(1 / r for r in ratios)) > 1 + UNEVEN:
                return (
                    f"Images of {site} and of {sites.target} differ in the size of their cells. Every image keeps its own "
                    "grid: differences in resolution are harmonized in cells, not in millimetres."
                )
    return ""
