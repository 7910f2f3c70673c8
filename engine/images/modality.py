"""The modalities, slides, volumes, films and sections: all that differs between the kinds of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...stores.frame import Box
from ...stores.image import ATTRIBUTES_KEY, StoredImage, attributes_of
from ...stores.scaled import Scaled
from ...stores.slides.cohort import Cohort, find_slides
from ...stores.slides.sections import BLOCK
from ...stores.slides.view import at_spacing
from ...stores.source import Source
from ..compute.resources import resources
from ..pipeline.job import Job
from ..pipeline.modality import FILMS_PER_CHUNK, MAX_BATCH, SLIDE_CHUNK, VOLUME_CHUNK, Cut, Images, Modality
from ..pipeline.record import InspectedCohort
from . import inputs
from .films import inspect_films
from .opening import inspect_slides, inspect_volumes, uneven
from .outside_masks import with_outside_masks, with_spare_masks
from .registered import find_sections_or_run
from .section_stack import GappedView, absent_of_stack, covered_by_all, stack_at_spacing, stack_of_levels
from .sections import inspect_sections


def _find_volumes(spec: Images, settings: Any) -> Cohort:
    from ...stores.volumes.cohort import find_volumes

    return find_volumes(spec, t=settings.t, channels=settings.channels, suffix=settings.suffix)


def _find_slides(spec: Images, settings: Any) -> Cohort:
    cohort = find_slides(spec)
    return with_spare_masks(cohort, [entry.name for entry in cohort.entries], settings.tissue_mask)


def _find_sections(spec: Images, settings: Any) -> Cohort:
    cohort = find_sections_or_run(spec)
    return with_spare_masks(cohort, {entry.extra[BLOCK] for entry in cohort.entries}, settings.tissue_mask)


def _open_slides(cohort: Cohort, settings: Any) -> InspectedCohort:
    limit = settings.unreadable_limit if settings.stored_pixels == "all" else 1.0  # glass that is not read may be lost
    inspected = inspect_slides(cohort, mpp=settings.mpp, spacing=settings.spacing, part=settings.part, limit=limit)
    return with_outside_masks(inspected, settings.tissue_mask)


def _open_sections(cohort: Cohort, settings: Any) -> InspectedCohort:
    inspected = inspect_sections(
        cohort,
        mpp=settings.mpp,
        spacing=settings.spacing,
        part=settings.part,
        known=settings.known_stains,
        only=settings.only_stain,
        limit=settings.unreadable_limit,
    )
    return with_outside_masks(inspected, settings.tissue_mask)


def _slide_at_spacing(job: Job[Any], image: str) -> Source:
    return at_spacing(resources().slide(job, image), job.spacing)


def _absent_of_slide(job: Job[Any], image: str, box: Box) -> list[Box]:
    return GappedView(resources().slide(job, image), job.spacing).absent(box)


def _affine(job: Job[Any], image: str) -> Mapping[str, Any]:
    return {"affine": resources().volume(job, image).affine}


def _in_range(stored: StoredImage) -> Source:
    """A volume scaled to the value range of network inputs, by the percentiles that convert recorded."""
    return Scaled(stored, attributes_of(stored.path)[ATTRIBUTES_KEY]["ranges"])


def _find_films(spec: Images, settings: Any) -> Cohort:
    from ...stores.films.input_kind import find_films
    from .other_task import with_other_task

    return with_other_task(spec, settings.pretrain_list) if settings.pretrain_list else find_films(spec)


def _not_one_image(job: Job[Any], image: str) -> Source:
    raise NotImplementedError("films are read by the batch: see steps/films/convert.py")


def _no_levels(job: Job[Any], image: str) -> Any:
    raise NotImplementedError("only slides and blocks have coarser levels in their own files")


def _film_views(strength: float) -> Any:
    raise NotImplementedError("the networks of films bring their own views")


def _patch_views(strength: float) -> Any:
    from ...models.views.patches import Views

    return Views(strength=strength)


def _cube_views(strength: float) -> Any:
    from ...models.views.cubes import CubeViews

    return CubeViews(strength=strength)


SLIDES = Modality(
    input=inputs.SLIDES,
    noun="slide",
    cell="px",
    axes=("y", "x"),
    cut=Cut(
        shard=(2048, 2048),
        chunk=(SLIDE_CHUNK, SLIDE_CHUNK),
        contained=3,  # levels of 8192, 4096 and 2048 cells: whole shards each
        longest=256,
        labels=((1024, 1024), (256, 256)),
        most_cells=64,  # 4,096 patches per unit
        most_pixels=64 * 1024,
    ),
    find=_find_slides,
    open=_open_slides,
    read=_slide_at_spacing,
    levels=lambda job, image: resources().slide(job, image),
    absent=_absent_of_slide,
    covered=lambda job, image, frame: None,
    notes=lambda job, image: {},
    scaled=lambda stored: stored,
    views=_patch_views,
    fills_background=True,
    resampled=True,
    caution=lambda cohort: "",
    amount=lambda pixels, spacing: f"{pixels / 1e6:,.0f} MPix at {spacing:g} um",
    smaller=", a coarser --spacing, or --pixels none",
)
VOLUMES = Modality(
    input=inputs.VOLUMES,
    noun="volume",
    cell="voxels",
    axes=("z", "y", "x"),
    cut=Cut(
        shard=(256,) * 3,
        chunk=(VOLUME_CHUNK,) * 3,
        contained=1,  # a block is one shard, so memory does not grow with the volume
        longest=64,
        labels=((256,) * 3, (VOLUME_CHUNK,) * 3),
        most_cells=16,
        most_pixels=512,
    ),
    find=_find_volumes,
    open=lambda cohort, settings: inspect_volumes(cohort, labels=settings.labels),
    read=lambda job, image: resources().volume(job, image),
    levels=_no_levels,
    absent=lambda job, image, box: resources().volume(job, image).absent(box),
    covered=lambda job, image, frame: None,
    notes=_affine,
    scaled=_in_range,
    views=_cube_views,
    fills_background=False,
    resampled=False,
    caution=uneven,
    amount=lambda voxels, spacing: f"{voxels / 1e6:,.1f} million voxels",
    smaller="",
)
FILMS = Modality(
    input=inputs.FILMS,
    noun="film",
    cell="px",
    axes=("film", "y", "x"),
    cut=Cut(
        shard=(MAX_BATCH, 1024, 1024),
        chunk=(FILMS_PER_CHUNK, 1024, 1024),
        contained=1,
        longest=1024,
        labels=((MAX_BATCH, 1024, 1024), (FILMS_PER_CHUNK, 1024, 1024)),
        most_cells=1,
        most_pixels=1024,
    ),
    find=_find_films,
    open=inspect_films,
    read=_not_one_image,
    levels=_no_levels,
    absent=lambda job, image, box: [],
    covered=lambda job, image, frame: None,
    notes=lambda job, image: {},
    scaled=lambda stored: stored,
    views=_film_views,
    fills_background=False,
    resampled=False,
    caution=lambda cohort: "",
    amount=lambda pixels, spacing: f"{pixels / 1e6:,.1f} MPix",
    smaller=" or a smaller --side",
)
SECTIONS = replace(
    SLIDES,
    input=inputs.SECTIONS,
    noun="block",
    find=_find_sections,
    open=_open_sections,
    read=stack_at_spacing,
    levels=stack_of_levels,
    absent=absent_of_stack,
    covered=covered_by_all,
    fills_background=False,
)
MODALITIES = {modality.name: modality for modality in (SLIDES, VOLUMES, FILMS, SECTIONS)}
