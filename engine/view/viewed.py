"""Viewed: what a run has to show of an image: pictures that lie below, and overlays of clusters, masks and values on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...errors import CorruptError, SlideError
from ...stores.frame import Frame
from ...stores.image import ATTRIBUTES_KEY, StoredImage, attributes_of
from ...stores.placement import Affine
from ...stores.source import Source
from ...stores.warps.stacked import Stacked
from ..export.fields import Field, fields_of
from ..pipeline.job import Job
from ..runs.anomaly.score_names import PROPERTIES, QUICK_NAMES, SHOWN, called
from ..runtime.changes import changed_file

CLUSTERS = "clusters"
ASSIGNMENT, CONFIDENCE = "assignment", "confidence"
"""Layers of clusters: the fine cluster of each tile, and how sure it is."""
HIDDEN = (CLUSTERS, ASSIGNMENT, "embedding")
"""Labels and layers that are no overlay of their own."""
MAX_CHANNELS = 8
"""Channels of a layer that are overlays, at most: an embedding has more."""

WORLD_ENDS = ("LR", "PA", "IS")
"""Left and Right, Posterior and Anterior, Inferior and Superior: the ends of the axes x, y and z of a patient."""
OBLIQUE = 20
"""Degrees beyond which an axis is said to point between two of these."""

CHANNELS = {"anomaly": QUICK_NAMES, "tone": PROPERTIES}
"""Layer of tiles -> names of its channels; other layers state them themselves, or have one."""

FIRST_VALUES = ("evidence", called(SHOWN))
"""Names of channels whose values lie over an image first; else the first ones."""

OverlayKind = Literal["clusters", "mask", "values"]


@dataclass(frozen=True, slots=True)
class PictureRef:
    """A picture of an image: its own pixels, a stain of a block, or a harmonized version."""

    name: str
    first: int = 0
    """The first of up to three channels."""
    path: Path | None = None
    """Of a version, its store; None for the image itself."""

    @property
    def is_version(self) -> bool:
        """Whether it is a harmonized version: an image of its own, to be seen beside the image."""
        return self.path is not None


@dataclass(frozen=True, slots=True)
class OverlayRef:
    """A label or one channel of a layer, over the pictures of an image."""

    name: str
    kind: OverlayKind
    path: Path
    channel: int = 0


def pictures_of(job: Job[Any], image: str) -> list[PictureRef]:
    """The pictures of an image: of a block one for each of its stains, else the image, and then its versions."""
    record = job.slides[image]
    if record.stains:
        own = [PictureRef(s, 3 * i) for i, s in enumerate(record.stains) if record.section(s) is not None]
    else:
        own = [PictureRef(job.modality.noun)]
    return own + [PictureRef(f.name, path=f.path) for f in _versions(job, image)]


def source_of(job: Job[Any], image: str, picture: PictureRef) -> Source:
    """The pixels of a picture: from the store, or from the image's own file where the store keeps none.

    Raises SlideError if that file cannot be read any more or was changed (E_CHANGED), and CorruptError for a damaged store.
    """
    if picture.path is not None:
        return StoredImage.open(picture.path)
    if job.pixels != "none":
        return job.stored(image)
    record = job.slides[image]
    try:
        if changed := changed_file(record):
            raise SlideError(
                f"{changed} was changed after the run had begun: it is not what lies under the clusters.", "E_CHANGED"
            )
        levels = job.modality.levels(job, image)
    except OSError as error:
        raise SlideError(f"{record.path} cannot be read, and the run keeps no pixels ({error.strerror}).") from error
    return levels.only(picture.first // 3) if isinstance(levels, Stacked) else levels


def overlays_of(job: Job[Any], image: str) -> list[OverlayRef]:
    """Clusters first, then masks, then values."""
    return list(_overlays(job, image))


def first_of(overlays: Sequence[OverlayRef]) -> int | None:
    """Which one lies over an image until another one is chosen: clusters, else values; a mask is seen where it is asked for."""
    for number, overlay in enumerate(overlays):
        if overlay.kind == "clusters":
            return number
    values = [number for number, overlay in enumerate(overlays) if overlay.kind == "values"]
    named = [number for number in values if overlays[number].name.rpartition(": ")[2] in FIRST_VALUES]
    return next(iter([*named, *values]), None)


def _overlays(job: Job[Any], image: str) -> Iterator[OverlayRef]:
    fields = _fields(job, image)
    layers = {field.name: field for field in fields if not field.is_label}
    if ASSIGNMENT in layers:
        yield OverlayRef(CLUSTERS, "clusters", layers[ASSIGNMENT].path)
    for field in fields:
        if field.is_label and field.name not in HIDDEN:
            yield OverlayRef(field.name, "mask", field.path)
    versions = {field.name for field in _versions(job, image)}
    for field in layers.values():
        if field.name in HIDDEN or field.name in versions:
            continue
        for channel, name in enumerate(_channel_names(field)):
            yield OverlayRef(name, "values", field.path, channel)


def _channel_names(field: Field) -> list[str]:
    """What the channels of a layer are called; none where it has too many to be overlays."""
    channels = StoredImage.open(field.path).channels
    if channels > MAX_CHANNELS:
        return []
    own = attributes_of(field.path)[ATTRIBUTES_KEY].get("channels")
    names = own if isinstance(own, list) else list(CHANNELS.get(field.name, ()))
    if len(names) == channels:
        return [f"{field.name}: {called(str(name))}" for name in names]
    return [field.name] if channels == 1 else [f"{field.name} {i + 1}" for i in range(channels)]


def _fields(job: Job[Any], image: str) -> list[Field]:
    """The finished labels and layers of an image."""
    found = []
    for field in fields_of(job.folder.slide(image)):
        try:
            if field.is_finished:
                StoredImage.open(field.path)
                found.append(field)
        except CorruptError:  # damaged: `verify` names it
            continue
    return found


def _versions(job: Job[Any], image: str) -> list[Field]:
    record = job.slides[image]
    return [f for f in _fields(job, image) if "/" in f.name and f.is_version(StoredImage.open(f.path), record)]


def extent(frame: Frame) -> dict[str, list[float]]:
    """Where a frame lies, in micrometres: its lower edges and lengths, in the order of its axes."""
    lengths = [n * s for n, s in zip(frame.shape, frame.spacing, strict=True)]
    return {"origin": list(map(float, frame.origin)), "lengths": list(map(float, lengths))}


def orientation(affine: Affine) -> list[list[str]]:
    """What the lower and the upper end of each axis z, y, x point to: of a straight volume I and S, P and A, L and R.

    `affine` leads from canonical indices (x, y, z, 1) to millimetres Right, Anterior, Superior; an axis that is more than
    `OBLIQUE` degrees off has a second letter, as in "SA".

    >>> orientation(((1.0, 0, 0, 0), (0, 0.9, -0.5, 0), (0, 0.5, 0.9, 0), (0, 0, 0, 1)))
    [['IA', 'SP'], ['PI', 'AS'], ['L', 'R']]
    """
    matrix = np.eye(3) if not affine else np.array(affine, np.float64)[:3, :3]
    unit = matrix / np.linalg.norm(matrix, axis=0)
    letters = []
    for axis in (2, 1, 0):
        order = np.argsort(-np.abs(unit[:, axis]), kind="stable")
        worlds = [w for n, w in enumerate(order) if n == 0 or abs(unit[w, axis]) > np.sin(np.radians(OBLIQUE))]
        ends = ["".join(WORLD_ENDS[w][int((unit[w, axis] > 0) == up)] for w in worlds) for up in (False, True)]
        letters.append(ends)
    return letters
