"""Sites of a run: who is harmonized, to whom, and which images the generator is fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....errors import SettingsError
from ....models.seeds import numpy_generator
from ...pipeline.job import Job
from .settings import HarmonizeSettings

FITTED = {"train", "training", "fit"}
HELD_OUT = {"test", "val", "validation", "held-out"}
FEW = 5
"""Subjects of a site below which the report warns."""


@dataclass(frozen=True, slots=True)
class Sites:
    """Image ids by their part in the run."""

    target: str
    sources: tuple[str, ...]
    of_site: dict[str, tuple[str, ...]]
    """Site -> its images; the sources and the target only."""
    held_out: frozenset[str]
    """Images that fitting does not see."""
    why: str
    """How the held-out images were chosen, for the report."""

    @property
    def harmonized(self) -> tuple[str, ...]:
        return tuple(image for site in self.sources for image in self.of_site[site])

    def fitted(self, site: str) -> tuple[str, ...]:
        """Images of a site that the generator is fitted on."""
        return tuple(image for image in self.of_site[site] if image not in self.held_out)

    def site_of(self, image: str) -> str:
        return next(site for site, images in self.of_site.items() if image in images)


def sites_of(job: Job[HarmonizeSettings]) -> Sites:
    """The sites, from the list's column `site` and the settings `from` and `to`. Raises SettingsError as `check_sites`."""
    settings, records = job.settings, job.slides
    known = sorted({record.site for record in records.values() if record.site})
    if settings.to not in known:
        raise SettingsError(
            f"--to {settings.to or '(not given)'}: name the site that images are to look like, one of the column `site`: "
            f"{', '.join(known) or 'no image has a site; add the column to the list'}.",
            "E_NO_SITE",
        )
    sources = settings.sources or tuple(site for site in known if site != settings.to)
    unknown = [site for site in sources if site not in known]
    if unknown or not sources:
        raise SettingsError(
            f"--from: {f'there is no site {unknown[0]!r}' if unknown else 'there is no site beside the target'}; the column "
            f"`site` has {', '.join(known)}.",
            "E_NO_SITE",
        )
    of_site = {
        site: tuple(image for image, record in records.items() if record.site == site)
        for site in (*sources, settings.to)
    }
    held_out, why = _held_out(job, of_site)
    return Sites(settings.to, sources, of_site, held_out, why)


def check_sites(job: Job[HarmonizeSettings]) -> None:
    """Raise SettingsError (E_NO_SITE) for unknown sites, or sites without anybody to fit on."""
    sites = sites_of(job)
    for site, count in fitted_subjects(job, sites).items():
        if not count:
            raise SettingsError(
                f"nobody of site {site!r} is left to fit on: all {len(sites.of_site[site])} images are held out. Add images, "
                "change the column `split`, or use --holdout 0.",
                "E_NO_SITE",
            )


def fitted_subjects(job: Job[HarmonizeSettings], sites: Sites) -> dict[str, int]:
    """Site -> number of subjects that the generator is fitted on."""
    return {
        site: len({job.slides[image].subject or image for image in sites.fitted(site)})
        for site in (*sites.sources, sites.target)
    }


def left_out(job: Job[HarmonizeSettings]) -> list[str]:
    """Names of images that take no part: their site is unknown, or neither harmonized nor the target."""
    part = {image for images in sites_of(job).of_site.values() for image in images}
    return [record.name for image, record in job.slides.items() if image not in part]


def _held_out(job: Job[HarmonizeSettings], of_site: dict[str, tuple[str, ...]]) -> tuple[frozenset[str], str]:
    images = [image for part in of_site.values() for image in part]
    stated = {image: job.slides[image].columns.get("split", "").strip().lower() for image in images}
    held = {image for image, split in stated.items() if split in HELD_OUT}
    if held and set(stated.values()) & FITTED:
        return frozenset(held), "by the column `split`"
    share = job.settings.holdout
    if not share:
        return frozenset(), "none: every image was fitted on"
    subject = {image: job.slides[image].subject or image for image in images}
    names = sorted(set(subject.values()))
    at = {name: {site for site, part in of_site.items() if any(subject[i] == name for i in part)} for name in names}
    # people scanned at several sites first: only they have a scan to compare with
    draw = numpy_generator(job.settings.seed, "holdout").permutation(len(names))
    order = sorted(range(len(names)), key=lambda i: (-len(at[names[i]]), draw[i]))
    chosen = {names[i] for i in order[: int(np.floor(share * len(names)))]}
    return (
        frozenset(image for image in images if subject[image] in chosen),
        f"{len(chosen)} of {len(names)} subjects, drawn by the seed, people scanned at several sites first",
    )
