"""Merged entries: images that several inputs name, each one entry with what all of them say of it, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..lists.spellings import says_same
from ..remote import real

if TYPE_CHECKING:
    from .cohort import SlideEntry

MAX_NAMED = 12


def merged_entries(entries: Iterable[SlideEntry]) -> tuple[list[SlideEntry], list[str]]:
    """(entries of which none is of another's image, a warning of what differs). An empty cell yields to a filled one; of two
    values that are not one value in another spelling, the first is believed."""
    merged: dict[tuple[str, str], SlideEntry] = {}
    differing: list[str] = []
    for one in entries:
        first = merged.setdefault((real(one.path), one.part), one)
        if first is not one:
            merged[real(one.path), one.part] = _with_empty_filled(first, one)
            if differences := ", ".join(_differences(first, one)):
                differing.append(f"{one.name} ({differences})")
    named = ", ".join(differing[:MAX_NAMED])
    warnings = [f"two lists say different things of {named} ({len(differing)}): the first is believed"]
    return list(merged.values()), warnings if differing else []


def _with_empty_filled(entry: SlideEntry, other: SlideEntry) -> SlideEntry:
    return replace(
        entry,
        mpp=other.mpp if entry.mpp is None else entry.mpp,
        subject=entry.subject or other.subject,
        site=entry.site or other.site,
        extra={**other.extra, **{name: value or other.extra.get(name, "") for name, value in entry.extra.items()}},
    )


def _differences(one: SlideEntry, other: SlideEntry) -> Iterator[str]:
    if one.mpp is not None and other.mpp is not None and one.mpp != other.mpp:
        yield f"mpp {one.mpp:g} and {other.mpp:g}"
    values, others = ({"subject": e.subject, "site": e.site, **e.extra} for e in (one, other))
    for name, value in values.items():
        if value and (also := others.get(name)) and not says_same(name, value, also):
            yield f"{name} {value!r} and {also!r}"
