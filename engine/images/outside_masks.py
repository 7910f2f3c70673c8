"""Outside masks: which tissue mask from outside belongs to which slide, decided and checked before any work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import SettingsError, SlideError
from ...stores.remote import to_path
from ...stores.slides.cohort import Cohort
from ...stores.slides.file_marks import fingerprint
from ...stores.slides.outside_mask import SUFFIXES, check_outside_mask
from ..pipeline.listing import first_of
from ..pipeline.record import ImageRecord, InspectedCohort, rejection_of_image

COLUMN = "tissue_mask"
"""Column of the list of slides that names a slide's mask; it goes before the setting of the same name."""


def with_spare_masks(cohort: Cohort, names: Iterable[str], setting: str) -> Cohort:
    """The cohort, which warns of masks in the folder `setting` that none of its images has. `names`: those of the images.

    Raises SettingsError (E_SETTINGS) where there is no such place, or where it is one file and there are several images: which
    one is asked of all images that were named, as one that cannot be used is not replaced by another.
    """
    names = list(names)
    place = to_path(setting) if setting else None
    if place is None:
        return cohort
    if not place.exists():
        raise SettingsError(f"tissue_mask: there is no file or folder {setting}, so no slide would have its mask.")
    if not place.is_dir():
        if len(names) > 1:
            raise SettingsError(
                f"tissue_mask: {place.name} is one file, and {len(names)} slides were named: it cannot be the mask of all. "
                "Give a folder of masks with the names of the slides, or a column `tissue_mask` in the list."
            )
        return cohort
    stems = {stem for name in names for whole in _stems(name) for stem in (whole, Path(whole).name)}
    listed = {Path(entry.extra[COLUMN]).name for entry in cohort.entries if entry.extra.get(COLUMN)}
    spare = [name for name, path in _masks_in(place).items() if _stem(name) not in stems and path.name not in listed]
    if not spare:
        return cohort
    text = (
        f"--tissue-mask: {first_of(spare)}: no slide of this run has the name, so it is the mask of none. A mask is named as "
        "its slide, such as case-1.png for case-1.svs"
    )
    return replace(cohort, warnings=(*cohort.warnings, text))


def with_outside_masks(inspected: InspectedCohort, setting: str) -> InspectedCohort:
    """The cohort with each slide's mask; slides without one, or with that of another slide, are rejected.

    `setting`: a folder of masks, which go by their names, or the one file that is the mask of the only slide; empty where the
    list alone names masks.
    """
    if not setting and not any(record.column(COLUMN) for record in inspected.slides.values()):
        return inspected
    place = to_path(setting) if setting else None
    files = _masks_in(place) if place is not None else {}
    is_folder = place is not None and place.is_dir()
    slides, rejected = {}, dict(inspected.rejected)
    names = [record.name for record in inspected.slides.values()]
    if not any(record.stains for record in inspected.slides.values()):  # rejected sections are not named like blocks
        names += [one.name for one in inspected.rejected.values()]
    for id, record in inspected.slides.items():
        try:
            path = _stated(record, inspected.root)
            if path is None and place is not None:
                path = _named_like(record.name, files, names) if is_folder else place
            if path is None:
                note = f"its row names no {COLUMN}; its tissue mask is computed"
                slides[id] = replace(record, notes=(*record.notes, note))
                continue
            path = path.absolute()
            check_outside_mask(path, record.native_shape, record.corner)
            slides[id] = replace(record, tissue_mask=str(path), tissue_mask_fingerprint=fingerprint(path))
        except SlideError as error:
            rejected[id] = rejection_of_image(record, error.code, error.message)
    return replace(inspected, slides=slides, rejected=rejected)


def _masks_in(place: Path) -> dict[str, Path]:
    """Path below the folder, with forward slashes -> mask."""
    found = sorted(p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    return {p.relative_to(place).as_posix(): p for p in found}


def _stated(record: ImageRecord, root: Path) -> Path | None:
    """The mask that its row names; None where it names none. Raises SlideError (E_NO_MASK) for one that is not there."""
    stated = str(record.column(COLUMN))
    if not stated:
        return None
    places = [to_path(stated)] if "://" in stated or Path(stated).is_absolute() else []
    places += [] if places else [root / stated, to_path(record.path).parent / stated]
    for path in places:
        if path.is_file():
            return path
    raise SlideError(f"its tissue mask {stated!r} is not there (looked for {places[0]}).", "E_NO_MASK")


def _named_like(name: str, files: dict[str, Path], names: Sequence[str]) -> Path:
    """The mask of the slide `name`, one of `names`. Raises SlideError: E_NO_MASK, E_OTHER_MASK where there are several."""
    found = _all_named_like(name, files, names)
    if not found:
        raise SlideError(
            f"--tissue-mask has no mask of it: {_stems(name)[0]}.png, .tif or .geojson is needed. Add it, or remove the "
            "slide; of a single slide, the file of its mask may be named itself.",
            "E_NO_MASK",
        )
    if len(found) > 1:
        raise SlideError(
            f"--tissue-mask has {len(found)} masks of it, {' and '.join(p.name for p in found[:2])}: it is not clear which "
            "one counts. Keep one.",
            "E_OTHER_MASK",
        )
    return found[0]


def _all_named_like(name: str, files: dict[str, Path], names: Sequence[str]) -> list[Path]:
    """Masks in the slide's own subfolder, else masks of its name alone, if no other slide has that name."""
    stems = _stems(name)
    if own := [path for mask, path in files.items() if _stem(mask) in stems]:
        return own
    short = {Path(stem).name for stem in stems}
    shared = [other for other in names if short & {Path(stem).name for stem in _stems(other)}]
    found = [path for mask, path in files.items() if _stem(mask) in short]
    if found and len(shared) > 1:
        raise SlideError(
            f"--tissue-mask has {found[0].name}, and {len(shared)} slides have this name ({shared[0]}, {shared[1]}): it is not "
            "clear whose mask it is. Put the masks into subfolders as the slides are.",
            "E_OTHER_MASK",
        )
    return found


def _stem(name: str) -> str:
    """A mask's name without its suffix."""
    return str(Path(name).with_suffix(""))


def _stems(name: str) -> tuple[str, ...]:
    """Names of a slide's mask, without suffix: the slide's name without its suffixes, and whole."""
    plain = Path(name).with_suffix("")
    without_ome = plain.with_suffix("") if plain.suffix.lower() == ".ome" else plain
    return tuple(dict.fromkeys((without_ome.as_posix(), plain.as_posix(), name)))
