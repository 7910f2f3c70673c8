"""draw: chooses the positions of the sampled patches, image by image."""

from __future__ import annotations

import math

import numpy as np

from ....errors import NoInputError
from ....stores.array import ArraySpec, StoredArray, Written, written
from ....stores.files import write_json
from ....stores.frame import Array, Box
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.settings import SampledSettings
from ...tiling.samplers import scatter
from ..convert.tissue import tissue
from .balance import balance
from .patches import patch_of, patches_spec
from .read import block_of

MOST_BYTES = 1 << 31
"""Bytes of all sampled cubes, at most, as training holds them in memory."""
WHOLE_COVER, LEAST_COVER = 0.9, 0.5
"""Share of a whole patch, and of any patch, that the tissue mask covers at least."""
WHOLE_SHARE = 0.8
"""Share of the patches of an image that are whole, where the background of the others is filled. Not shown to be best: on two
planted cohorts, .984 and .922 of the rim's tiles got the cluster of their tissue's inside with this mix, .980 and .970 with
patches drawn as they come."""
PER_AREA = 8
"""Patches per patch-sized area of tissue, at most; more would overlap so much that they hardly differ."""


def draw_patches(job: Job[SampledSettings], unit: Unit) -> Outcome:
    """Choose the patches of the whole cohort from the tissue masks and the seed, without reading pixels."""
    from ....models.training.budget import budget

    outcome = Outcome()
    patch = patch_of(job)
    slides = list(job.slides)
    with outcome.clock("compute"):
        room = []
        for slide in slides:
            mask = tissue(job, slide)
            area = mask.values.sum() * float(np.prod(mask.ratio))
            room.append(round(PER_AREA * area / math.prod(patch)))
        patch_limit = min(job.settings.samples, budget(max(1, sum(room))).patches)
        if len(patch) == 3:
            patch_limit = min(patch_limit, max(64, MOST_BYTES // patches_spec(job, 1).nbytes))
        patch_counts = balance(room, [job.slides[s].subject or s for s in slides], patch_limit)
        places, owners, whole = [], [], 0
        for i, (slide, count) in enumerate(zip(slides, patch_counts, strict=True)):
            if not count:
                continue
            generator = np.random.default_rng([job.settings.seed, 1, i])
            mask, frame = tissue(job, slide), job.slides[slide].frame
            positions = scatter(mask, frame, patch, counts=mix(job, count), generator=generator)
            positions = (
                positions[np.lexsort((*(positions // block_of(patch)).T[::-1],))] if len(positions) else positions
            )
            covered = mask.share_of(positions.astype(float), positions + np.array(patch, float))
            whole += int((covered >= WHOLE_COVER).sum())
            places.append(positions)
            owners.append(np.full(len(positions), i, np.int32))
        total = sum(len(p) for p in places)
        if not total:
            raise NoInputError(
                f"no tissue was found on any of the {len(slides)} {job.modality.plural}, so no patch can be "
                f"sampled. Look at labels/tissue of the stores in {job.modality.name}/, and check that the input is the "
                "one you meant.",
                "E_NO_TISSUE",
            )
    with outcome.clock("write"):
        outcome.files += _write_plan(job, np.concatenate(owners), np.concatenate(places))
    outcome.facts["samples"] = total
    outcome.facts["whole"] = whole
    outcome.facts["slides"] = {s: int((np.concatenate(owners) == i).sum()) for i, s in enumerate(slides)}
    return outcome


def mix(job: Job[SampledSettings], count: int) -> dict[float, int]:
    """Least share of tissue -> patches: the whole and the partial ones among `count` patches of an image.

    Volumes, whose background is part of the picture, have patches as they come.
    """
    if not job.modality.fills_background:
        return {LEAST_COVER: count}
    return {WHOLE_COVER: round(WHOLE_SHARE * count), LEAST_COVER: count - round(WHOLE_SHARE * count)}


def _write_plan(job: Job[SampledSettings], owners: Array, places: Array) -> list[Written]:
    root = job.folder.samples
    n = len(owners)
    write_json(
        root / "zarr.json",
        {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {"slides": list(job.slides), "patch": job.settings.side},
        },
    )
    StoredArray.create(root / "patches", patches_spec(job, n))
    documents = [root / "zarr.json", root / "patches" / "zarr.json"]
    files = []
    for name, values, names in (("slide", owners, ("n",)), ("place", places, ("n", "axis"))):
        spec = ArraySpec(values.shape, values.dtype.name, values.shape, values.shape, names)
        files.append(StoredArray.create(root / name, spec).write(Box((0,) * values.ndim, values.shape), values))
        documents.append(root / name / "zarr.json")
    return [*files, *map(written, documents)]
