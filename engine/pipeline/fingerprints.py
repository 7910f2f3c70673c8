"""Fingerprints: hashes of everything that determines the results of each step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from ...stores.remote import to_path
from ...stores.slides.file_marks import fingerprint
from ...version import VERSION
from .record import ImageRecord, digest
from .settings import RunSettings
from .spec import Pipeline


def fingerprints(
    pipeline: Pipeline,
    settings: RunSettings,
    spacing: float,
    images: Iterable[ImageRecord],
    rejected: Mapping[str, str],
) -> dict[str, str]:
    """Step -> hash of the settings that it reads and of all earlier steps.

    Adding an image does not change the fingerprints of steps that process each image separately. The fingerprint of a cohort
    step covers all images not rejected before it (`rejected`: id -> step that rejected the image).
    """
    out: dict[str, str] = {}
    before = digest("convert", spacing if pipeline.modality.resampled else 0.0, VERSION)
    cohort = list(images)
    for name, step in pipeline.steps.items():
        if step.cohort:
            used = [r for r in cohort if not rejects_before(pipeline, rejected.get(r.id), name)]
            before = digest(before, [(r.key, r.subject) for r in used])
        if columns := step.columns(settings):
            before = digest(before, [(r.id, [r.column(name) for name in columns]) for r in cohort])
        if step.files:
            paths = list(settings.deciding(step.files).values())
            before = digest(before, [_content(path) for path in paths])
            before = digest(before, [_beside(path, name) for path in paths for name in step.beside])
        before = digest(name, before, settings.deciding(step.settings))
        out[name] = before
    return out


def _content(path: str) -> str:
    """Fingerprint of the file that a setting names; empty where the setting names no file."""
    return fingerprint(to_path(path)) if is_hashed(path) else ""


def _beside(path: str, name: str) -> str:
    """Checksum of a small file beside the file that a setting names; empty where there is none."""
    file = to_path(path).parent / name if is_hashed(path) else None
    return hashlib.sha256(file.read_bytes()).hexdigest() if file and file.exists() else ""


def is_hashed(path: str) -> bool:
    """Whether a setting that may name a file does, whose content then determines results."""
    return path.startswith(("/", "s3://"))


def rejects_before(pipeline: Pipeline, found: str | None, step: str) -> bool:
    """Whether an image that the step `found` rejected is excluded before `step` begins."""
    order = ["open", *pipeline.steps]
    return found is not None and order.index(found) < order.index(step)
