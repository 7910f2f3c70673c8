"""inspect_sections: the blocks of a cohort, each the stack of its sections, one of which the others are registered to."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import SettingsError, SlideError
from ...stores.slides.cohort import Cohort, SlideEntry, slide_id
from ...stores.slides.cut_short import check_cut
from ...stores.slides.sections import BLOCK, LANDMARKS, SECTION_COLUMNS, STAIN, is_reference, order_of
from ...stores.slides.view import SPACING_TOLERANCE, at_spacing
from ..pipeline.listing import first_of
from ..pipeline.record import ImageRecord, InspectedCohort, Rejection, digest
from ..pipeline.section_file import SectionFile
from .look import look_at_slides, looks_at
from .opening import PREFERRED, file_fingerprint, printable, rejection_of, seen, working_spacing

PIXELS = (3, "uint8")
"""Channels and type of a section."""
Inspected = tuple[SlideEntry, dict[str, Any]]
"""A section that can be used, and what was found in its file."""


def inspect_sections(
    cohort: Cohort,
    *,
    mpp: float | None,
    spacing: float | None,
    part: str = "",
    known: Sequence[str] = (),
    only: str = "",
    limit: float = 1.0,
) -> InspectedCohort:
    """Inspect every section, choose the run's spacing and each block's reference, and record the block on its frame.

    A section that cannot be used, or is cut short by more than `limit`, is rejected by name; a block needs its reference and
    one other section. The stains of the channels are `known`, or those of the cohort; with `only`, a block has the channels of
    that stain alone, and the sections that these need. Raises SettingsError (E_TRAINED) for a section in an unknown stain.
    """
    entries = sorted(cohort.entries, key=lambda entry: entry.id)
    stains = _stains(entries) if only else tuple(known) or _stains(entries)
    if unknown := [entry for entry in entries if entry.extra[STAIN] not in stains]:
        raise _unknown_stains(unknown, stains)
    looks = [seen(entry, look) for entry, look in zip(entries, looks_at(entries, mpp, look_at_slides), strict=True)]
    target = spacing or _working_spacing(zip(entries, looks, strict=True))
    rejected: dict[str, Rejection] = {}
    blocks: dict[str, list[Inspected]] = defaultdict(list)
    members: dict[str, list[SlideEntry]] = defaultdict(list)
    failures: dict[str, dict[str, str]] = defaultdict(dict)
    for entry, look in zip(entries, looks, strict=True):
        members[entry.extra[BLOCK]].append(entry)
        try:
            if isinstance(look, SlideError):
                raise look
            if (look["channels"], look["dtype"]) != PIXELS:
                raise SlideError(
                    f"has {look['channels']} channels of {look['dtype']}: a section is a picture of three 8-bit colours.",
                    "E_OTHER_PIXELS",
                )
            check_cut(entry.path.name, look["cut"], at_spacing(look["frames"], target).level, limit)
            blocks[entry.extra[BLOCK]].append((entry, look))
        except SlideError as error:
            failures[entry.extra[BLOCK]][entry.name] = error.message
            if only and entry.extra[STAIN] != only:
                continue  # it costs the block, where it is the reference, and nothing else
            rejected[entry.id] = rejection_of(entry, error, file_fingerprint(entry.path))
    records: dict[str, ImageRecord] = {}
    for block, entries_of_block in sorted(members.items()):
        one = slide_id(block)
        try:
            reference, why = _reference(entries_of_block, blocks[block], failures[block], only)
            usable = _needed(entries_of_block, blocks[block], reference, only) if only else blocks[block]
            channels = (only,) if only else stains
            records[one] = _record(
                one, block, usable, reference, why, stains=stains, channels=channels, mpp=mpp, target=target, part=part
            )
            if only:
                lost = [f"{printable(name)} is not used: {text}" for name, text in failures[block].items()]
                records[one] = replace(records[one], notes=(*records[one].notes, *lost))
        except SlideError as error:
            rejected[one] = Rejection(printable(block), error.code, error.message)
    return InspectedCohort(
        target, records, rejected, cohort.ignored, cohort.root, notes=cohort.notes, warnings=cohort.warnings
    )


def spacing_of_sections(cohort: Cohort, mpp: float | None) -> float:
    """The spacing that a run on all these sections works at."""
    looks = looks_at(cohort.entries, mpp, look_at_slides)
    return _working_spacing((e, seen(e, look)) for e, look in zip(cohort.entries, looks, strict=True))


def _working_spacing(looks: Iterable[tuple[SlideEntry, dict[str, Any] | SlideError]]) -> float:
    """The spacing that the run works at: that of its blocks, each as fine as its coarsest section."""
    coarsest: dict[str, float] = {}
    for entry, look in looks:
        if isinstance(look, dict):
            block = entry.extra[BLOCK]
            coarsest[block] = max(coarsest.get(block, 0.0), look["native_spacing"])
    return working_spacing(coarsest.values()) if coarsest else PREFERRED


def _unknown_stains(entries: Sequence[SlideEntry], stains: Sequence[str]) -> SettingsError:
    named = first_of([f"{printable(e.name)} ({e.extra[STAIN]})" for e in entries])
    return SettingsError(
        f"the networks were trained on blocks in {', '.join(stains)}, and sections are in other stains: {named}. A stain that "
        "a block lacks is background, but one that the networks do not know has no channel. Correct the names in the column "
        f"`{STAIN}` of the list, or leave these sections out.",
        "E_TRAINED",
    )


def _needed(
    entries: Sequence[SlideEntry], usable: Sequence[Inspected], reference: SlideEntry, only: str
) -> list[Inspected]:
    """The section of one stain, and the reference that it is registered to. Raises SlideError for a block without such."""
    if not any(entry.extra[STAIN] == only for entry, _ in usable):
        has = ", ".join(sorted(entry.extra[STAIN] for entry in entries))
        raise SlideError(
            f"no section of it in {only} can be used, and it is clustered by that stain alone: its sections are in {has}.",
            "E_NO_STAIN",
        )
    return [(entry, look) for entry, look in usable if entry.extra[STAIN] == only or entry == reference]


def _stains(entries: Iterable[SlideEntry]) -> tuple[str, ...]:
    """The stains of the cohort, by the mean of their orders where these are stated, then by name."""
    orders: dict[str, list[float]] = defaultdict(list)
    for entry in entries:
        orders[entry.extra[STAIN]] += [order] if (order := order_of(entry)) is not None else []
    return tuple(
        sorted(orders, key=lambda s: (not orders[s], sum(orders[s]) / max(1, len(orders[s])), s.casefold(), s))
    )


def _reference(
    entries: Sequence[SlideEntry], usable: Sequence[Inspected], failures: Mapping[str, str], only: str
) -> tuple[SlideEntry, str]:
    """The reference of a block, and why it was chosen where the list does not say it. Raises SlideError for no usable block.

    `failures`: name of a section -> why it cannot be used. A block by one stain alone (`only`) needs no other section.
    """
    stated = [entry for entry in entries if is_reference(entry)]
    if stated and stated[0] not in [entry for entry, _ in usable]:
        raise SlideError(
            f"its reference {stated[0].name} cannot be used ({failures[stated[0].name]}), and the others are registered to "
            "it. Mend that file, or name another reference.",
            "E_NO_REFERENCE",
        )
    if len(usable) < 2 and (not only or [entry.extra[STAIN] for entry, _ in usable] != [only]):
        raise SlideError(
            f"{len(usable)} of its {len(entries)} sections can be used: a block needs two sections to register one to the "
            "other.",
            "E_ONE_SECTION",
        )
    if stated:
        return stated[0], ""
    names = sorted((entry for entry, _ in usable), key=lambda e: e.extra[STAIN].casefold())
    if all(order_of(entry) is not None for entry in names):
        ordered = sorted(names, key=lambda e: order_of(e) or 0.0)
        return ordered[(len(ordered) - 1) // 2], "the middle one by its order"
    plain = [entry for entry in names if re.sub(r"[\W_]+", "", entry.extra[STAIN]).casefold() in ("he", "hande")]
    return (plain[0], "the one in HE") if plain else (names[0], "the first by its stain's name")


def _record(
    one: str,
    block: str,
    usable: Sequence[Inspected],
    reference: SlideEntry,
    why: str,
    *,
    stains: tuple[str, ...],
    channels: tuple[str, ...],
    mpp: float | None,
    target: float,
    part: str,
) -> ImageRecord:
    ids = section_ids(stains)
    by_stain = {entry.extra[STAIN]: (entry, look) for entry, look in usable}
    sections = tuple(
        _section(*by_stain[stain], id=ids[stain], mpp=mpp, part=part, reference=by_stain[stain][0] == reference)
        for stain in stains
        if stain in by_stain
    )
    look = by_stain[reference.extra[STAIN]][1]
    frame = at_spacing(look["frames"], target).frames[0]
    own = next(section for section in sections if section.reference)
    entries = [entry for entry, _ in usable]
    columns, disagreeing = _columns(entries)
    subjects = {entry.subject for entry in entries}
    sites = {entry.site for entry in entries}
    disagreeing += [name for name, values in (("subject", subjects), ("site", sites)) if len(values) > 1]
    landmark_files = [[s.id, file_fingerprint(_path(by_stain, s))] for s in sections if s.landmarks]
    if landmark_files:
        columns[LANDMARKS] = digest(landmark_files)
    return ImageRecord(
        id=one,
        name=printable(block),
        path=own.path,
        fingerprint=own.fingerprint,
        mpp=own.mpp,
        subject=subjects.pop() if len(subjects) == 1 else "",
        site=sites.pop() if len(sites) == 1 else "",
        columns=columns,
        reader=own.reader,
        native_spacing=own.native_spacing,
        native_shape=own.native_shape,
        channels=3 * len(channels),
        dtype="uint8",
        background=255,
        shape=frame.shape,
        spacing=frame.spacing,
        origin=frame.origin,
        notes=tuple(_notes(sections, channels, why, own, disagreeing, usable)),
        levels=own.levels,
        subimage=own.part,
        corner=own.corner,
        stains=channels,
        sections=sections,
    )


def _path(by_stain: Mapping[str, Inspected], section: SectionFile) -> Any:
    from ...stores.remote import to_path

    return to_path(by_stain[section.stain][0].extra[LANDMARKS])


def _section(
    entry: SlideEntry, look: Mapping[str, Any], *, id: str, mpp: float | None, part: str, reference: bool
) -> SectionFile:
    return SectionFile(
        id=id,
        stain=entry.extra[STAIN],
        name=printable(entry.name),
        path=str(entry.path.absolute()),
        fingerprint=file_fingerprint(entry.path),
        reader=look["reader"],
        native_spacing=look["native_spacing"],
        native_shape=tuple(look["native_shape"]),
        spacing=look["frames"].frames[0].spacing,
        origin=look["frames"].frames[0].origin,
        mpp=entry.mpp or mpp,
        part=entry.part or part,
        levels=tuple(look.get("levels", ())),
        corner=tuple(look["corner"]) if any(look.get("corner", ())) else (),
        reference=reference,
        landmarks=entry.extra.get(LANDMARKS, ""),
    )


def _columns(entries: Sequence[SlideEntry]) -> tuple[dict[str, str], list[str]]:
    """Columns in which all sections of a block have one value, and names of those in which they differ."""
    names = dict.fromkeys(name for entry in entries for name in entry.extra if name not in SECTION_COLUMNS)
    values = {name: {entry.extra.get(name, "") for entry in entries} for name in names}
    return {n: v.pop() for n, v in values.items() if len(v) == 1}, [n for n, v in values.items() if len(v) > 1]


def _notes(
    sections: Sequence[SectionFile],
    stains: Sequence[str],
    why: str,
    own: SectionFile,
    disagreeing: Sequence[str],
    usable: Sequence[Inspected],
) -> Iterable[str]:
    if why:
        yield f"no reference is stated: {own.stain} is taken, {why}"
    missing = [stain for stain in stains if stain not in [section.stain for section in sections]]
    if missing:
        yield f"has no section of {', '.join(missing)}: its channels are background"
    spacings = [section.native_spacing for section in sections]
    if max(spacings) > min(spacings) * (1 + SPACING_TOLERANCE):
        said = ", ".join(f"{s.stain} {s.native_spacing:.4g}" for s in sections)
        yield f"its sections differ in micrometres a pixel ({said}): each is read at the spacing of the run"
    if disagreeing:
        yield f"its sections differ in {', '.join(disagreeing)}: the block has no value there"
    for entry, look in usable:
        yield from (f"{printable(entry.name)}: {note}" for note in look["notes"])


def section_ids(stains: Sequence[str]) -> dict[str, str]:
    """Stain -> a name for its files.

    >>> section_ids(("H&E", "Ki67", "ki67"))
    {'H&E': 'H-E', 'Ki67': 'Ki67', 'ki67': 'ki67-a3a4666a'}
    """
    ids: dict[str, str] = {}
    for stain in stains:
        plain = re.sub(r"[^A-Za-z0-9_.]+", "-", stain)[:40].strip("-._") or "stain"
        taken = {one.casefold() for one in ids.values()}
        mark = hashlib.sha256(stain.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        ids[stain] = f"{plain}-{mark}" if plain.casefold() in taken else plain
    return ids
