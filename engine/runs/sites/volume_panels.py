"""volume_panels: the volumes whose maps the report shows, as three planes each."""

from __future__ import annotations

from ....stores.frame import Array
from ....stores.image import StoredImage
from ...pipeline.job import Job
from ...show.evidence_overlay import EvidencePanel, planes_of
from .check_maps import checked_images
from .explain import GRADCAM
from .folds import cohort_of
from .settings import SitesSettings

SHOWN = 8


def volume_panels(job: Job[SitesSettings], probabilities: Array) -> list[EvidencePanel]:
    """Panels of some volumes of each site in turn."""
    names, images = cohort_of(job).names, list(job.slides)
    panels = []
    for image in checked_images(job)[:SHOWN]:
        record, row = job.slides[image], probabilities[images.index(image)]
        named = int(row.argmax())
        heading = f"{record.name}: {record.site or 'site unknown'}, named {names[named]} ({row[named]:.2f})"
        layer = StoredImage.open(job.folder.layer(image, GRADCAM))
        heat, values = layer.read(layer.frames[0].box)[0], job.stored(image).read(record.frame.box)[0]
        sided = not record.assumed_orientation
        panels.append(planes_of(heading, values, heat, record.frame, layer.frames[0], sided=sided))
    return panels
