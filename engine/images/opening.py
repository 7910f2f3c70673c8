"""Opening a cohort: every image is inspected once before the run; an unusable image is rejected with a reason."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import SlideError
from ...stores.frame import Frame
from ...stores.slides.cohort import Cohort, SlideEntry
from ...stores.slides.cut_short import check_cut
from ...stores.slides.file_marks import fingerprint
from ...stores.slides.spacing import unlikely_extent
from ...stores.slides.view import SPACING_TOLERANCE, at_spacing
from ..pipeline.record import MAX_CELLS, ImageRecord, InspectedCohort, Rejection
from ..workers.child import GoneError, SilentError
from .look import OPEN_LIMIT_SECONDS, look_at_slides, look_at_volumes, looks_at

PREFERRED = 0.5
"""Preferred spacing in micrometres per pixel, used if at least half of the slides are as fine."""
UNEVEN = 1.25
"""Ratio of two volumes' spacings along an axis above which their patches are not comparable."""


def inspect_slides(
    cohort: Cohort, *, mpp: float | None, spacing: float | None, part: str = "", limit: float = 1.0
) -> InspectedCohort:
    """Inspect every slide, choose the run's spacing (see `working_spacing`), and record each slide's frame at that spacing.

    `limit`: part of a slide that may lie behind the end of its file, where all of its pixels are read.
    """
    entries = sorted(cohort.entries, key=lambda entry: entry.id)  # results do not depend on the order of a list's rows
    entries = [replace(entry, part=entry.part or part) for entry in entries]
    looks = [seen(entry, look) for entry, look in zip(entries, looks_at(entries, mpp, look_at_slides), strict=True)]
    finest = [look["native_spacing"] for look in looks if isinstance(look, dict)]
    target = spacing or (working_spacing(finest) if finest else PREFERRED)
    kind = Counter((look["channels"], look["dtype"]) for look in looks if isinstance(look, dict)).most_common(1)
    slides: dict[str, ImageRecord] = {}
    rejected: dict[str, Rejection] = {}
    for entry, look in zip(entries, looks, strict=True):
        try:
            if isinstance(look, SlideError):
                raise look
            slides[entry.id] = _record(entry, look, mpp=mpp, target=target, kind=kind[0][0], limit=limit)
        except SlideError as error:
            rejected[entry.id] = rejection_of(entry, error, file_fingerprint(entry.path))
    return _inspected_cohort(cohort, target, slides, rejected)


def inspect_volumes(cohort: Cohort, *, labels: str = "auto", channels: int | None = None) -> InspectedCohort:
    """Inspect and record every volume; volumes keep their own spacings and data types.

    `labels` says which of them are label maps: auto (as each file says or looks), all or none. `channels` is the number that
    the run's volumes have, where these are not its own: one with another number is rejected.
    """
    entries = sorted(cohort.entries, key=lambda entry: entry.id)
    looks = [seen(entry, look) for entry, look in zip(entries, looks_at(entries, None, look_at_volumes), strict=True)]
    usual = Counter(look["channels"] for look in looks if isinstance(look, dict)).most_common(1)
    expected = channels or (usual[0][0] if usual else 1)
    volumes: dict[str, ImageRecord] = {}
    rejected: dict[str, Rejection] = {}
    for entry, look in zip(entries, looks, strict=True):
        try:
            if isinstance(look, SlideError):
                raise look
            _same_kind(look["channels"], expected, "channels", "volumes")
            record = _recorded(entry, look, look["frames"].frames[0], mpp=None)
            volumes[entry.id] = _with_labels(record, look.get("labels", ""), labels)
        except SlideError as error:
            rejected[entry.id] = rejection_of(entry, error, file_fingerprint(entry.path))
    finest = [record.native_spacing for record in volumes.values()]
    return _inspected_cohort(cohort, statistics.median(finest) if finest else 0.0, volumes, rejected)


def _inspected_cohort(
    cohort: Cohort, spacing: float, images: dict[str, ImageRecord], rejected: dict[str, Rejection]
) -> InspectedCohort:
    return InspectedCohort(
        spacing, images, rejected, cohort.ignored, cohort.root, notes=cohort.notes, warnings=cohort.warnings
    )


def _with_labels(record: ImageRecord, reason: str, labels: str) -> ImageRecord:
    """The record of a label map, with a note that says so; of other volumes the same record."""
    if labels == "none" or (labels == "auto" and not reason):
        return record
    why = f"{reason}; --labels none for a scan" if labels == "auto" else "--labels all"
    note = f"is read as a label map ({why}): coarser levels take every second voxel, and its mask is where it is not 0"
    return replace(record, labels=True, notes=(*record.notes, note))


def uneven(inspected: InspectedCohort) -> str:
    """A warning if spacings differ by more than a quarter, so that patches of equal shape differ in size; else empty."""
    spacings = [record.spacing for record in inspected.slides.values()]
    ratios = [max(along) / min(along) for along in zip(*spacings, strict=True)]
    if max(ratios, default=1.0) <= UNEVEN:
        return ""
    ends = [" x ".join(f"{s / 1000:.3g}" for s in end(spacings, key=math.prod)) for end in (min, max)]
    return (
        f"voxel sizes range from {ends[0]} to {ends[1]} mm (z, y, x), so patches of equal shape cover more of one volume than "
        "of another: resample the volumes, or run volumes of equal spacing together."
    )


def working_spacing(finest: Iterable[float]) -> float:
    """0.5 um if at least half of the slides are as fine (within 5 %), else the median of their finest spacings.

    >>> working_spacing([0.25, 0.5, 1.0]), working_spacing([1.0, 2.0, 0.5])
    (0.5, 1.0)
    """
    values = list(finest)
    reach = sum(v <= PREFERRED * (1 + SPACING_TOLERANCE) for v in values)
    return PREFERRED if 2 * reach >= len(values) else statistics.median(values)


def answer_of(entry: SlideEntry, look: Any) -> dict[str, Any]:
    """A child's answer of a file that it opened. Raises SlideError where it could not."""
    if isinstance(look, SilentError):
        raise SlideError(
            f"{entry.path.name}: opening the file takes longer than {OPEN_LIMIT_SECONDS:.0f} s.", look.code
        )
    if isinstance(look, GoneError):
        raise SlideError(
            f"{entry.path.name}: opening the file crashes the process of its reader, so the file is probably "
            "damaged. Copy it again, or convert it with another tool.",
            look.code,
        )
    if "error" in look:
        raise SlideError(*look["error"])
    answer: dict[str, Any] = look
    return answer


def seen(entry: SlideEntry, look: Any) -> dict[str, Any] | SlideError:
    """A child's answer as properties of the image, or as the error that rejects it."""
    try:
        look = answer_of(entry, look)
    except SlideError as error:
        return error
    frames = [Frame(**{k: tuple(v) for k, v in frame.items()}) for frame in look["frames"]]
    spacing = frames[0].spacing
    return {
        **look,
        "native_spacing": math.prod(spacing) ** (1 / len(spacing)),
        "native_shape": frames[0].shape,
        "frames": _Frames(tuple(frames), look),
    }


class _Frames:
    """A source without pixels: its frames suffice to compute its view at a spacing."""

    def __init__(self, frames: tuple[Frame, ...], look: Mapping[str, Any]) -> None:
        self.frames = frames
        self.channels, self.dtype, self.background = look["channels"], look["dtype"], look["background"]
        self.tiles: tuple[tuple[int, ...], ...] = ()

    def read(self, box: Any, level: int = 0) -> Any:
        raise ValueError("this slide is closed")


def _record(
    entry: SlideEntry, look: dict[str, Any], *, mpp: float | None, target: float, kind: tuple[int, str], limit: float
) -> ImageRecord:
    _same_kind((look["channels"], look["dtype"]), kind, "channels of this type", "slides")
    stated = entry.mpp or mpp
    notes = [text] if stated and (text := unlikely_extent(look["native_shape"], stated)) else []
    look = {**look, "notes": [*look["notes"], *notes]}
    view = at_spacing(look["frames"], target)
    check_cut(entry.path.name, look["cut"], view.level, limit)
    return _recorded(entry, look, view.frames[0], mpp=mpp)


def level_read(frames: tuple[Frame, ...]) -> int:
    """The level that a run of this slide alone reads by default."""
    spacing = frames[0].spacing
    target = working_spacing([math.prod(spacing) ** (1 / len(spacing))])
    return at_spacing(_Frames(frames, {"channels": 1, "dtype": "uint8", "background": 0}), target).level


def _same_kind(kind: object, usual_kind: object, what: str, images: str) -> None:
    if kind != usual_kind:
        raise SlideError(
            f"the image has {kind} {what}, most {images} of the run have {usual_kind}: one network cannot process both. "
            "Run the image separately.",
            "E_OTHER_PIXELS",
        )


def _recorded(entry: SlideEntry, look: dict[str, Any], frame: Frame, *, mpp: float | None) -> ImageRecord:
    if frame.box.size > MAX_CELLS:
        raise SlideError(
            f"{entry.path.name}: states {' x '.join(map(str, look['native_shape']))} cells, {frame.box.size} at the run's "
            f"spacing and more than {MAX_CELLS}. It is damaged, or a bomb; copy it again.",
            "E_BOMB",
        )
    return ImageRecord(
        id=entry.id,
        name=printable(entry.name),
        path=str(entry.path.absolute()),
        fingerprint=file_fingerprint(entry.path),
        mpp=entry.mpp or mpp,
        subject=entry.subject,
        site=entry.site,
        columns=dict(entry.extra),
        reader=look["reader"],
        native_spacing=look["native_spacing"],
        native_shape=look["native_shape"],
        channels=look["channels"],
        dtype=look["dtype"],
        background=look["background"],
        shape=frame.shape,
        spacing=frame.spacing,
        origin=frame.origin,
        notes=tuple(look["notes"]),
        corner=tuple(look["corner"]) if any(look.get("corner", ())) else (),
        levels=tuple(look.get("levels", ())),
        subimage=entry.part,
        affine=tuple(tuple(row) for row in look.get("affine", ())),
    )


def rejection_of(entry: SlideEntry, error: SlideError, mark: str) -> Rejection:
    """The rejection of an image on opening; `mark` is the fingerprint of its file."""
    path = str(entry.path.absolute())
    name = printable(entry.name)
    return Rejection(name, error.code, error.message, fingerprint=mark, path=path, part=entry.part)


def file_fingerprint(path: Path) -> str:
    try:
        return fingerprint(path)
    except (OSError, SlideError):
        return ""


def printable(name: str) -> str:
    """A file's name for display: bytes that are not UTF-8 become replacement characters."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
