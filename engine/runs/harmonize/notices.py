"""notices: what a harmonization says on the command line, too: who takes part, the level that is judged, the seams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...pipeline.job import Job
from ...pipeline.listing import first_of
from .measure import MOST_CELLS
from .seams import FIGURES, seams_of
from .settings import HarmonizeSettings
from .sites import left_out, sites_of

VISIBLE = 0.01
"""Difference of two tiles, in units of the scale, from which the user is warned; bf16 rounds to less."""


def training_note(job: Job[HarmonizeSettings]) -> str:
    """How many of the images training sees, and how the others were chosen."""
    sites = sites_of(job)
    count = sum(len(images) for images in sites.of_site.values())
    seen = sum(len(sites.fitted(site)) for site in sites.of_site)
    return f"training sees {seen} of {count} images; held out: {sites.why}"


def left_out_notices(job: Job[HarmonizeSettings]) -> Iterator[str]:
    """A line for each reason why images take no part, with the first names."""
    for reason, names in left_out(job).items():
        yield f"{len(names)} images take no part in training and are not harmonized, as {reason}: {first_of(names)}"


def coarse_notice(job: Job[HarmonizeSettings]) -> str:
    """Which images are judged on a coarser level; empty where none is."""
    sites = sites_of(job)
    coarse = [i for images in sites.of_site.values() for i in images if job.slides[i].frame.box.size > MOST_CELLS]
    if not coarse:
        return ""
    return (
        f"{len(coarse)} images have more than {MOST_CELLS / 1e6:.0f} million cells and are judged on a coarser level, where "
        f"differences in sharpness show less: {first_of([job.slides[image].name for image in coarse])}"
    )


def seam_note(job: Job[HarmonizeSettings]) -> tuple[str, bool]:
    """(the largest of each figure of the seams, over all images; whether tiles differ visibly); empty without figures."""
    seams = {image: found for image in sites_of(job).harmonized if (found := seams_of(job, image))}
    if not seams:
        return "", False
    largest = largest_seams(seams)
    figures = ", ".join(f"{name} {largest[name]:.2g}" for name in FIGURES)
    visible = max(largest["overlap"], largest["shift"]) > VISIBLE
    advice = " Tiles differ visibly: leave out --halo, or use --dtype float32." if visible else ""
    return f"seams between tiles, the largest of {len(seams)} images: {figures}.{advice}", visible


def largest_seams(seams: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Figure -> its value of the image where it is farthest from 0."""
    return {name: max((figures[name] for figures in seams.values()), key=abs) for name in FIGURES}
