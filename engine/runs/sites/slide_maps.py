"""slide_maps: where the evidence of slides lies, whether it says what decides, and the slides that the report shows."""

from __future__ import annotations

from ....stores.frame import Array
from ....stores.image import StoredImage
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.evidence_overlay import EvidencePanel, slide_of
from ...steps.checkpoints import device_of, write_document
from ...steps.slide_picture import picture_of
from .check_maps import checked, checked_images
from .documents import EXPLANATIONS, Explained, Explanations
from .explain import GRADCAM
from .folds import cohort_of, fold_by_image
from .networks import load_network
from .settings import SlideSitesSettings
from .slides import empty_value, patches_of
from .tiles import tile_facts

SHOWN, LONGEST = 8, 900
"""Slides that are shown, and pixels along each."""


def check_slide_maps(job: Job[SlideSitesSettings], unit: Unit) -> Outcome:
    """Write models/explanations.json; the checks are of one patch of each checked slide."""
    import torch
    from threadpoolctl import threadpool_limits

    from ....models.explanation.checks import SHARES

    outcome = Outcome()
    checks, folds = [], fold_by_image(job)
    with outcome.clock("compute"), threadpool_limits(1):  # the last digits depend on the threads
        torch.set_num_threads(job.settings.threads)
        for slide in checked_images(job):
            network = load_network(job, folds[slide]).to(device_of(job))
            patch = torch.from_numpy(patches_of(job, slide, 1)[0]).to(device_of(job))
            checks.append(checked(slide, network, patch, fill=empty_value(job)))
    maps = tuple(_explained(job, slide) for slide in folds if job.settings.gradcam)
    with outcome.clock("write"):
        document = Explanations(shares=SHARES, maps=maps, checks=tuple(checks))
        outcome.files.append(write_document(job, EXPLANATIONS, document))
    return outcome


def _explained(job: Job[SlideSitesSettings], slide: str) -> Explained:
    facts = tile_facts(job, slide)
    total, inside = (sum(float(fact[name]) for fact in facts) for name in ("evidence", "evidence_inside"))
    return Explained(image=slide, head=inside / total if total else None, brain=None)


def slide_panels(job: Job[SlideSitesSettings], probabilities: Array) -> list[EvidencePanel]:
    """Panels of some slides of each site in turn."""
    names, slides = cohort_of(job).names, list(job.slides)
    panels = []
    for slide in checked_images(job)[:SHOWN]:
        record, row = job.slides[slide], probabilities[slides.index(slide)]
        named = f"named {names[int(row.argmax())]} ({row.max():.2f})" if row.sum() > 0 else "without tissue"
        layer = StoredImage.open(job.folder.layer(slide, GRADCAM))
        heat = layer.read(layer.frames[0].box)[0]
        heading = f"{record.name}: {record.site or 'site unknown'}, {named}"
        panels.append(slide_of(heading, picture_of(job, slide, longest=LONGEST), heat))
    return panels
