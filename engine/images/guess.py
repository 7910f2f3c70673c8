"""guess: the kind of images in a folder whose kind the user did not name, by what it holds; unclear ones are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import SettingsError, SlideError
from ...stores.films.film import RADIOGRAPHS
from ...stores.films.input_kind import FILM_INPUT
from ...stores.films.stacks import arrays_of, stack_shapes
from ...stores.lists.sheet import LIST_SUFFIXES
from ...stores.remote import ObjectPath, as_list, to_path
from ...stores.slides.cohort import SlideEntry, find
from ...stores.slides.input_kind import SLIDE_INPUT
from ...stores.slides.sections import BLOCK, STAIN
from ...stores.slides.walk import InputKind, Seen, named_like
from ...stores.slides.zarr_levels import accepts as is_zarr
from ...stores.volumes import npz_reader
from ...stores.volumes.bids import root_of
from ...stores.volumes.file_head import DICOM, NPZ, content_of, first_bytes
from ...stores.volumes.input_kind import VOLUME_INPUT
from ...stores.volumes.series import header
from ...stores.volumes.zarr_reader import sizes_of
from ..pipeline.command import UNNAMED, Command
from ..pipeline.listing import first_of
from ..pipeline.progress import Event, Report
from . import inputs
from .registered import holds_sections

FILES: Mapping[str, InputKind] = {"slides": SLIDE_INPUT, "volumes": VOLUME_INPUT, "films": FILM_INPUT}
"""Kind of images -> its files."""
SCANS = frozenset({"CT", "MR", "PT", "NM"})
"""DICOM modalities of volumes."""
MAX_NAMED = 3
GREAT_MAJORITY = 0.9
"""Share of the images that may be of the usual kind, from which on the others are left out, by name."""
MAX_LOOKS = 200
"""Images of one ending that are opened, at most, spread over all of them; the ending of every one is looked at."""


def named_images(command: Command, images: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Images by their kind: those that the user gave without one belong to the kind that was named, or to the guessed one.

    Raises SettingsError (E_IMAGES) and NoInputError as `guess_kind` does.
    """
    named = {kind: paths for kind, paths in images.items() if paths}
    unnamed = list(named.pop(UNNAMED, ()))
    if not unnamed or len(named) > 1:
        return named
    kind = next(iter(named)) if named else guess_kind(unnamed, command.images, report)
    paths = [*as_list(named.get(kind, ())), *unnamed]
    return {kind: paths[0] if len(paths) == 1 else paths}


def guess_kind(paths: Sequence[str], kinds: Sequence[str], report: Report, usual: str = "") -> str:
    """Which of `kinds` the images of these folders, globs, files or lists are; it is reported, as is what it was told by.

    Where the great majority may be of the kind `usual`, that is taken; the others are counted and named. Raises SettingsError
    (E_IMAGES) where the files do not tell one kind, NoInputError where there are no images.
    """
    if len(kinds) == 1:
        return kinds[0]
    places = [to_path(path) for path in paths]
    if inputs.SECTIONS.name in kinds and len(places) == 1 and holds_sections(places[0]):
        return _said(inputs.SECTIONS.name, "the folder of a run", report)
    if all(_is_bids(path) for path in places):
        return _said(inputs.VOLUMES.name, "a BIDS tree", report)
    entries = find(list(paths), ANY_INPUT).entries
    sampled = _sampled(entries)
    looks = [(entry.name, _kinds_of(entry)) for entry in sampled]
    candidates = [kind for kind in kinds if all(kind in found for _, found in looks)]
    others = [name for name, found in looks if usual not in found]
    left_out = ""
    if usual in kinds and (usual in candidates or _share(usual, entries, sampled, looks) >= GREAT_MAJORITY):
        candidates = [usual]
        left_out = f"; left out, as they are none: {first_of(others, MAX_NAMED)}" if others else ""
    counts = _count_text(entries, sampled)
    if len(candidates) != 1:
        raise _unclear(", ".join(map(str, paths)), candidates or kinds, looks, counts)
    fitting = [name for name, found in looks if candidates[0] in found]
    return _said(candidates[0], (counts or first_of(fitting, MAX_NAMED)) + left_out, report)


def _share(
    kind: str,
    entries: Sequence[SlideEntry],
    sampled: Sequence[SlideEntry],
    looks: Sequence[tuple[str, frozenset[str]]],
) -> float:
    """Share of all images that may be of a kind: those of an ending are taken to be as the opened ones of it are."""
    all_of, opened = Counter(_ending(e.path) for e in entries), Counter(_ending(e.path) for e in sampled)
    fitting = Counter(_ending(entry.path) for entry, (_, found) in zip(sampled, looks, strict=True) if kind in found)
    return sum(all_of[ending] * fitting[ending] / opened[ending] for ending in opened) / len(entries)


def _sampled(entries: Sequence[SlideEntry]) -> list[SlideEntry]:
    """At most `MAX_LOOKS` of each ending, in the order of the names; named sections are apart from other images."""
    groups: dict[tuple[str, bool], list[SlideEntry]] = {}
    for entry in entries:
        groups.setdefault((_ending(entry.path), _is_named_section(entry)), []).append(entry)
    chosen = {id(one) for group in groups.values() for one in group[:: -(-len(group) // MAX_LOOKS)]}
    return [entry for entry in entries if id(entry) in chosen]


def _ending(path: Path) -> str:
    """The longest known ending of a name, else its last one.

    >>> _ending(Path("a.b.nii.gz")), _ending(Path("A.SVS")), _ending(Path("series"))
    ('.nii.gz', '.svs', '')
    """
    name = path.name.lower()
    return max((s for s in ANY_INPUT.suffixes if name.endswith(s)), key=len, default=path.suffix.lower())


def _count_text(entries: Sequence[SlideEntry], sampled: Sequence[SlideEntry]) -> str:
    """How many images of each ending there are, and were opened; empty where all were."""
    if len(sampled) == len(entries):
        return ""
    counts = Counter(_ending(entry.path) or "without an ending" for entry in entries).most_common()
    endings = first_of([f"{count:,} {ending}" for ending, count in counts])
    return f"{len(entries):,} images: {endings}; {len(sampled):,} of them were opened"


def _is_bids(path: Path) -> bool:
    is_table = path.is_file() and path.suffix.lower() in LIST_SUFFIXES
    return (path.is_dir() or is_table) and root_of(path) is not None


def _said(kind: str, by: str, report: Report) -> str:
    report(Event("note", f"the images are taken for {kind} ({by}); the option --{kind} says so"))
    return kind


def _unclear(
    place: str, kinds: Sequence[str], looks: Sequence[tuple[str, frozenset[str]]], counts: str
) -> SettingsError:
    names: dict[str, list[str]] = {}
    for name, found in looks:
        names.setdefault(" or ".join(kind for kind in inputs.INPUTS if kind in found), []).append(name)
    files = "; ".join(f"{first_of(some, MAX_NAMED)} may be {kind}" for kind, some in names.items())
    options = " or ".join(f"--{kind}" for kind in kinds)
    files += f" ({counts})" if counts else ""
    return SettingsError(
        f"the kind of the images in {place} is not clear: {files}; and a run works on one kind. Say which, by {options}.",
        "E_IMAGES",
    )


def _kinds_of(entry: SlideEntry) -> frozenset[str]:
    """The kinds that an image may be, by its content, or in an object store by its name."""
    kinds = _kinds_of_file(entry.path)
    is_section = "slides" in kinds and _is_named_section(entry)
    return frozenset(kinds | ({inputs.SECTIONS.name} if is_section else set()))


def _is_named_section(entry: SlideEntry) -> bool:
    return bool(entry.extra.get(BLOCK) and entry.extra.get(STAIN))


def _kinds_of_file(path: Path) -> set[str]:
    if path.is_dir():
        if not is_zarr(path, b""):
            return {"volumes"}  # a list may name the folder of a DICOM series
        sizes = sizes_of(path)
        return {"volumes" if sizes.get("z", 1) > 1 else "slides"} if sizes else {"slides", "volumes"}
    fitting = {name for name, kind in FILES.items() if named_like(kind.suffixes, path)}
    fitting = fitting or {name for name, kind in FILES.items() if _is_input(path, kind)}
    if len(fitting) < 2 or isinstance(path, ObjectPath):
        return fitting
    try:
        content = content_of(first_bytes(path))
        kinds = _kinds_of_dicom(path) if content == DICOM else _kinds_of_arrays(path) if content == NPZ else fitting
        return fitting & kinds or fitting
    except SlideError:
        return fitting  # whatever run takes it rejects it with the reason


def _kinds_of_dicom(path: Path) -> set[str]:
    modality = str(header(path, ["Modality"]).get("Modality", "") or "").upper()
    return {kind for kind, of in {"slides": {"SM"}, "volumes": SCANS, "films": RADIOGRAPHS}.items() if modality in of}


def _kinds_of_arrays(path: Path) -> set[str]:
    volumes = {"volumes"} if next(npz_reader.members(path), None) else set()
    return volumes | ({"films"} if stack_shapes(arrays_of(path)) else set())


def _is_input(path: Path, kind: InputKind) -> bool:
    return any(not seen.why for seen in kind.gather([path]))


def _gather(files: Sequence[Path]) -> Iterator[Seen]:
    for file in files:
        is_image = any(_is_input(file, kind) for kind in FILES.values())
        yield Seen(file, "" if is_image else "is no image that is known")


def _expand(path: Path) -> Iterator[Seen]:
    yield Seen(path)


ANY_INPUT = InputKind(
    word="image",
    suffixes=frozenset().union(*(kind.suffixes for kind in FILES.values())),
    gather=_gather,
    expand=_expand,
    closed=SLIDE_INPUT.closed,
    lists=LIST_SUFFIXES,
    roles=frozenset().union(*(kind.roles for kind in FILES.values())),
    carried=frozenset({BLOCK, STAIN}),
)
