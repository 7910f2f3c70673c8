"""Sites of a run: who is harmonized, to whom, and which images the generator is fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....errors import SettingsError
from ....models.seeds import numpy_generator
from ....stores.lists.spellings import listed_spelling
from ...pipeline.job import Job
from ...pipeline.record import ImageRecord
from ...steps.checkpoints import find_record
from ...steps.split_column import check_split, learned_and_judged
from .documents import GeneratorRecord
from .settings import HarmonizeSettings

STEP = "generator"
"""Name of the step that trains."""
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


def sites_of(job: Job[HarmonizeSettings]) -> Sites:
    """The sites, from the list's column `site` and the settings `from` and `to`. Raises SettingsError as `check_sites`."""
    records = job.slides
    target, sources = _target_and_sources(job, records)
    of_site = {
        site: tuple(image for image, record in records.items() if record.site == site) for site in (*sources, target)
    }
    held_out, why = _stated(job) or _held_out(job, of_site)
    return Sites(target, sources, of_site, held_out, why)


def fitted_sources(job: Job[HarmonizeSettings]) -> tuple[str, ...]:
    """The sources as they were when the generators were fitted, whatever images of them were rejected since."""
    return _target_and_sources(job, job.slides_before(STEP))[1]


def _target_and_sources(job: Job[HarmonizeSettings], records: dict[str, ImageRecord]) -> tuple[str, tuple[str, ...]]:
    """Of these images. A source of `from` that has lost all of its images since the generators were fitted is none any more."""
    settings = job.settings
    known = sorted({record.site for record in records.values() if record.site})
    target = listed_spelling(settings.to, known)
    if target not in known:
        raise SettingsError(
            f"--to {settings.to or '(not given)'}: name the site that images are to look like, one of the column `site`: "
            f"{', '.join(known) or 'no image has a site; add the column to the list'}.",
            "E_NO_SITE",
        )
    lost = {record.site for record in job.slides_before(STEP).values()} - set(known)
    named = tuple(listed_spelling(site, [*known, *lost]) for site in settings.sources)
    sources = tuple(site for site in named or known if site not in lost and (named or site != target))
    unknown = [f"there is no site {site!r}" for site in sources if site not in known]
    unknown += [f"{target!r} is the target of --to" for site in sources if site == target]
    if unknown or not sources:
        raise SettingsError(
            f"--from: {unknown[0] if unknown else 'there is no site beside the target'}; the column "
            f"`site` has {', '.join(known)}.",
            "E_NO_SITE",
        )
    return target, sources


def _stated(job: Job[HarmonizeSettings]) -> tuple[frozenset[str], str] | None:
    """What the generator says of the images that its fitting did not see: rejections after it change the list, not the past."""
    for name in ("light-1", "generator"):
        document = find_record(job, name, GeneratorRecord)
        if document is not None and document.key == job.fingerprints.get(STEP):
            return frozenset(document.held_out), document.why
    return None


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


def left_out(job: Job[HarmonizeSettings]) -> dict[str, list[str]]:
    """Why images take no part -> their names: their site is unknown, or neither harmonized nor the target."""
    of_site = sites_of(job).of_site
    reasons: dict[str, list[str]] = {}
    for record in job.slides.values():
        if record.site not in of_site:
            site = record.site
            reason = f"--from and --to do not name their site {site}" if site else "the list does not state their site"
            reasons.setdefault(reason, []).append(record.name)
    return reasons


def _held_out(job: Job[HarmonizeSettings], of_site: dict[str, tuple[str, ...]]) -> tuple[frozenset[str], str]:
    images = [image for part in of_site.values() for image in part]
    words = [job.slides[image].columns.get("split", "") for image in images]
    check_split(words)
    learned, judged = learned_and_judged(words)
    if learned.any() or judged.any():
        held = judged if judged.any() else ~learned
        return frozenset(np.array(images)[held].tolist()), "by the column `split`"
    if not job.settings.holdout:
        return frozenset(), "none: every image was fitted on"
    subject = {image: job.slides[image].subject or image for image in images}
    sites: dict[str, set[str]] = {}
    for site, part in of_site.items():
        for image in part:
            sites.setdefault(subject[image], set()).add(site)
    chosen = _drawn(sites, job.settings.holdout, job.settings.seed)
    return (
        frozenset(image for image in images if subject[image] in chosen),
        f"{len(chosen)} of {len(sites)} subjects, drawn by the seed, people scanned at several sites first",
    )


def _drawn(sites: dict[str, set[str]], share: float, seed: int) -> set[str]:
    """Subjects that are held out: a share of each site's, never all of one; people of several sites first."""
    names = sorted(sites)
    draw = dict(zip(names, numpy_generator(seed, "holdout").permutation(len(names)).tolist(), strict=True))
    left = {site: sum(site in found for found in sites.values()) for site in sorted(set().union(*sites.values()))}
    aims = {site: round(share * count) for site, count in left.items()}
    chosen: set[str] = set()
    for name in sorted(names, key=lambda name: (-len(sites[name]), draw[name])):
        if all(aims[site] > 0 and left[site] > 1 for site in sites[name]):
            chosen.add(name)
            for site in sites[name]:
                aims[site] -= 1
                left[site] -= 1
    return chosen
