"""DICOM series: files that belong together, and where each of their pictures lies. No patient data is kept."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import SlideError
from ..foreign import foreign, kind_of_fault
from ..regular import open_regular
from ..slides.companions import series_of
from ..slides.dicom_deflated import check_deflated

EXPECTED = ("ImagesInAcquisition", "NumberOfSlices")
"""Elements that state how many images a series has."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Position of one picture in DICOM's coordinates, in mm (Left, Posterior, Superior)."""

    file: Path
    frame: int
    """Number of the picture in its file."""
    rows: int
    columns: int
    position: tuple[float, ...]
    """Centre of the first cell."""
    orientation: tuple[float, ...]
    """Unit steps along a row and along a column."""
    spacing: tuple[float, float]
    """Distance of rows and of columns."""
    scale: tuple[float, float]
    """(slope, intercept)."""
    echo: float | None = None
    """Echo time in milliseconds."""
    expected: int = 0
    """Images that the acquisition has, as the file states; 0 where it does not."""
    photometric: str = "MONOCHROME2"
    series: str = ""
    """Mark of the series' UID; empty where it has none."""
    study: str = ""
    """Mark of the patient and the study that the picture belongs to."""
    lut: bool = False
    """Whether a Modality LUT turns stored values into true ones."""
    is_rescaled: bool = False
    """Whether it states a slope or an intercept, used or not."""


def mark_of(uid: str) -> str:
    """Name of a series here: part of a hash of its UID, which identifies nobody.

    >>> mark_of("1.2.3")
    'c47f5b18b8a4'
    """
    return hashlib.sha256(uid.encode()).hexdigest()[:12]


def uid_of(file: Path) -> str:
    """SeriesInstanceUID of a file; empty where it has none."""
    uid = series_of(file)
    if uid:
        return uid
    try:
        return str(header(file, ["SeriesInstanceUID"]).get("SeriesInstanceUID", "") or "")
    except SlideError:
        return ""


def header(file: Path, tags: list[str] | None = None, *, pixels: bool = False) -> Any:
    """The data set of a file, as pydicom reads it. Raises SlideError (E_DICOM, E_MISSING)."""
    import pydicom
    from pydicom.config import settings

    settings.reading_validation_mode = 0  # invalid values are common, and none of them is shown
    text = f"{file.name}: cannot be read as DICOM"
    why = "it is damaged, cut short or was never complete. Export it again."
    with foreign(lambda what: SlideError(f"{text} ({kind_of_fault(what)}); {why}", "E_DICOM")):
        try:
            with warnings.catch_warnings(), open_regular(file) as handle:
                warnings.simplefilter("ignore")
                check_deflated(handle, file.name)
                return pydicom.dcmread(handle, stop_before_pixels=not pixels, specific_tags=tags)
        except FileNotFoundError as error:
            raise SlideError(f"{file.name}: is gone; it was moved or deleted.", "E_MISSING") from error


def slices_of(file: Path, data: Any) -> list[Slice]:
    """The pictures of a file. Raises SlideError if it has none, or does not state their positions."""
    text = (
        f"{file.name}: its elements contradict each other"  # values of the wrong kind, missing groups, empty sequences
    )
    with foreign(lambda why: SlideError(f"{text} ({kind_of_fault(why)}). Export it again.", "E_DICOM")):
        return _slices(file, data)


def _slices(file: Path, data: Any) -> list[Slice]:
    if "Rows" not in data or "Columns" not in data:
        kind = str(data.get("Modality", "")) or "unknown modality"
        raise SlideError(
            f"{file.name}: is DICOM without a picture ({kind}): no volume. Leave it out.", "E_NOT_A_VOLUME"
        )
    if int(data.get("SamplesPerPixel", 1)) != 1:
        raise SlideError(
            f"{file.name}: has {data.SamplesPerPixel} values a pixel (colours); volumes with one value are read.",
            "E_UNSUPPORTED_PIXELS",
        )
    if "MOSAIC" in (data.get("ImageType") or []):
        raise SlideError(
            f"{file.name}: is a mosaic: all slices in one picture, placed by private elements. Convert it with dcm2niix.",
            "E_DICOM",
        )
    count = int(data.get("NumberOfFrames", 1) or 1)
    if not 0 < count <= 2**16 or not 0 < int(data.Rows) < 2**16 or not 0 < int(data.Columns) < 2**16:
        raise SlideError(
            f"{file.name}: claims {count} pictures of {data.Rows} x {data.Columns}; its header is damaged. Copy it again.",
            "E_MALFORMED",
        )
    frames = data.get("PerFrameFunctionalGroupsSequence")
    if count > 1 and not frames:
        raise SlideError(
            f"{file.name}: has {count} pictures and does not say where each lies. Export it slice by slice, or as an enhanced "
            "multi-frame image.",
            "E_GEOMETRY",
        )
    if frames and len(frames) < count:
        raise SlideError(f"{file.name}: has {count} pictures and places {len(frames)} of them.", "E_GEOMETRY")
    return [_slice(file, data, number) for number in range(count)]


def _slice(file: Path, data: Any, number: int) -> Slice:
    position = frame_value(data, number, "PlanePositionSequence", "ImagePositionPatient")
    orientation = frame_value(data, number, "PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = frame_value(data, number, "PixelMeasuresSequence", "PixelSpacing")
    missing = [
        name
        for name, value, length in (
            ("position", position, 3), ("orientation", orientation, 6), ("spacing", spacing, 2),
        )
        if value is None or isinstance(value, str) or len(value) != length
    ]  # fmt: skip
    if missing:
        raise SlideError(
            f"{file.name}: does not state the {' and the '.join(missing)} of its picture in the patient: a film or a "
            "screenshot, or part of it was removed. A volume cannot be built from it.",
            "E_GEOMETRY",
        )
    slope = frame_value(data, number, "PixelValueTransformationSequence", "RescaleSlope")
    inter = frame_value(data, number, "PixelValueTransformationSequence", "RescaleIntercept")
    numbers = tuple(tuple(float(v) for v in values) for values in (position, orientation, spacing))
    scale = (float(slope) if slope not in (None, "") else 1.0, float(inter) if inter not in (None, "") else 0.0)
    has_lut = bool(data.get("ModalityLUTSequence"))  # it goes before a rescale, as one of both may be there
    return Slice(
        file=file,
        frame=number,
        rows=int(data.Rows),
        columns=int(data.Columns),
        position=numbers[0],
        orientation=numbers[1],
        spacing=(numbers[2][0], numbers[2][1]),
        scale=(1.0, 0.0) if has_lut else scale,
        echo=_number(frame_value(data, number, "MREchoSequence", "EffectiveEchoTime") or data.get("EchoTime")),
        expected=max(int(_number(data.get(name)) or 0) for name in EXPECTED),
        photometric=str(data.get("PhotometricInterpretation", "MONOCHROME2")),
        series=mark_of(uid) if (uid := str(data.get("SeriesInstanceUID", "") or "")) else "",
        study=mark_of(f"{data.get('PatientID', '')} {data.get('StudyInstanceUID', '')}"),
        lut=has_lut,
        is_rescaled=scale != (1.0, 0.0),
    )


def _number(value: Any) -> float | None:
    """An element as a number; None where it has none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def frame_value(data: Any, number: int, group: str, name: str) -> Any:
    """An element of a frame: from its functional group, the shared group, or the data set."""
    per_frame = data.get("PerFrameFunctionalGroupsSequence")
    shared = data.get("SharedFunctionalGroupsSequence")
    for groups in ([per_frame[number]] if per_frame else []) + ([shared[0]] if shared else []):
        items = groups.get(group)
        if items and name in items[0]:
            return items[0].get(name)
    return data.get(name)
