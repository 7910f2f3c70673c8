"""Outside masks: which tissue mask from outside belongs to which slide, decided and checked before any work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ...errors import SettingsError, SlideError
from ...stores.remote import to_path
from ...stores.slides.file_marks import fingerprint
from ...stores.slides.outside_mask import SUFFIXES, check_outside_mask
from ..pipeline.record import ImageRecord, InspectedCohort, rejection_of_image

COLUMN = "tissue_mask"
"""Column of the list of slides that names a slide's mask; it goes before the setting of the same name."""


def with_outside_masks(inspected: InspectedCohort, setting: str) -> InspectedCohort:
    """The cohort with each slide's mask; slides without one, or with that of another slide, are rejected.

    `setting`: a folder or a file of masks, or empty where the list alone names masks. Raises SettingsError (E_SETTINGS) where
    one file is named for several slides.
    """
    if not setting and not any(record.column(COLUMN) for record in inspected.slides.values()):
        return inspected
    place = to_path(setting) if setting else None
    if place is not None and not place.exists():
        raise SettingsError(f"tissue_mask: there is no file or folder {setting}, so no slide would have its mask.")
    if place is not None and not place.is_dir() and len(inspected.slides) > 1:
        raise SettingsError(
            f"tissue_mask: {place.name} is one file, and the run has {len(inspected.slides)} slides: it cannot be the mask of "
            "all. Give a folder of masks with the names of the slides, or a column `tissue_mask` in the list."
        )
    files = _masks_in(place) if place is not None else {}
    slides, rejected, used = {}, dict(inspected.rejected), set()
    for id, record in inspected.slides.items():
        try:
            path = _mask_of(record, files, inspected, required=place is not None)
            if path is None:
                note = f"its row names no {COLUMN}; its tissue mask is computed"
                slides[id] = replace(record, notes=(*record.notes, note))
                continue
            used.add(path)
            check_outside_mask(path, record.native_shape, record.corner)
            slides[id] = replace(record, tissue_mask=str(path), tissue_mask_fingerprint=fingerprint(path))
        except SlideError as error:
            rejected[id] = rejection_of_image(record, error.code, error.message)
    spare = [(f"{COLUMN} {name}", "has the name of no slide of this run") for name, p in files.items() if p not in used]
    return replace(inspected, slides=slides, rejected=rejected, ignored=(*inspected.ignored, *spare))


def _masks_in(place: Path) -> dict[str, Path]:
    """Path below the folder, with forward slashes -> mask; of one file only itself."""
    if not place.is_dir():
        return {place.name: place}
    found = sorted(p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    return {p.relative_to(place).as_posix(): p for p in found}


def _mask_of(record: ImageRecord, files: dict[str, Path], inspected: InspectedCohort, *, required: bool) -> Path | None:
    if stated := str(record.column(COLUMN)):
        places = [to_path(stated)] if "://" in stated or Path(stated).is_absolute() else []
        places += [] if places else [inspected.root / stated, to_path(record.path).parent / stated]
        for path in places:
            if path.is_file():
                return path.absolute()
        raise SlideError(f"its tissue mask {stated!r} is not there (looked for {places[0]}).", "E_NO_MASK")
    if not required:
        return None
    if len(files) == 1 and len(inspected.slides) == 1:
        return next(iter(files.values()))
    found = _named_like(record, files, inspected.slides.values())
    if not found:
        raise SlideError(
            f"--tissue-mask has no mask of it: {_stems(record)[0]}.png, .tif or .geojson is needed. Add it, or remove the "
            "slide.",
            "E_NO_MASK",
        )
    if len(found) > 1:
        raise SlideError(
            f"--tissue-mask has {len(found)} masks of it, {' and '.join(p.name for p in found[:2])}: it is not clear which "
            "one counts. Keep one.",
            "E_OTHER_MASK",
        )
    return found[0].absolute()


def _named_like(record: ImageRecord, files: dict[str, Path], records: Iterable[ImageRecord]) -> list[Path]:
    """Masks in the slide's own subfolder, else masks of its name alone, if no other slide has that name."""
    stems = _stems(record)
    if own := [path for name, path in files.items() if str(Path(name).with_suffix("")) in stems]:
        return own
    short = {Path(stem).name for stem in stems}
    shared = [other.name for other in records if short & {Path(stem).name for stem in _stems(other)}]
    found = [path for name, path in files.items() if str(Path(name).with_suffix("")) in short]
    if found and len(shared) > 1:
        raise SlideError(
            f"--tissue-mask has {found[0].name}, and {len(shared)} slides have this name ({shared[0]}, {shared[1]}): it is not "
            "clear whose mask it is. Put the masks into subfolders as the slides are.",
            "E_OTHER_MASK",
        )
    return found


def _stems(record: ImageRecord) -> tuple[str, ...]:
    """Names of its mask, without suffix: the slide's name without its suffixes, and whole."""
    name = record.name
    plain = Path(name).with_suffix("")
    without_ome = plain.with_suffix("") if plain.suffix.lower() == ".ome" else plain
    return tuple(dict.fromkeys((without_ome.as_posix(), plain.as_posix(), name)))
