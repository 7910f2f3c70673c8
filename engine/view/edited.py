"""edited: the table of all clusters that `relabel` gets, from what was edited of the clusters of one level."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import SettingsError
from ..show.palette import hexadecimal
from .levels import Tree

IGNORED, GREY = "ignored", "#9a9a9a"
"""What ignored clusters are called, and their colour: they are one cluster."""

Edits = Mapping[int, Mapping[str, str]]
"""Cluster -> what was edited of it: name, colour, into (a number, `ignored`, or "" for its own). What is absent stays."""


def table_of(tree: Tree, level: int, edits: Edits) -> list[dict[str, str]]:
    """Rows (cluster, name, colour, into) of every cluster of the tree, so that merges and names at other levels stay.

    Merges go into the last cluster of a chain, as `relabel` asks; ignored clusters go into the one of them that stands at the
    coarsest level. Raises SettingsError (E_CLASSES) for clusters that are merged into each other.
    """
    finest = tree.levels[max(tree.levels)]
    names = dict(zip(finest.numbers, finest.names, strict=True))
    colours = {number: hexadecimal(colour) for number, colour in finest.colour_of.items()}
    was_ignored = {number for number in names if names[finest.into.get(number, number)] == IGNORED}
    into, ignored = dict(finest.into), set(was_ignored)
    for number, edit in edits.items():
        if "into" not in edit:
            continue
        into.pop(number, None)
        (ignored.add if edit["into"] == IGNORED else ignored.discard)(number)
        if edit["into"].isdecimal():
            into[number] = int(edit["into"])
    standing = set(tree.levels[level].numbers)
    targets = {into[number] for number in edits if "into" in edits[number] and number in into}
    for number, other in list(into.items()):
        if (
            number in targets and other not in standing
        ):  # else the merge of this level would need a cluster that it lacks
            del into[number]
            into[other] = number
    if ignored:
        first = min(
            ignored, key=lambda number: min(k for k, clusters in tree.levels.items() if number in clusters.numbers)
        )
        into |= dict.fromkeys(ignored, first)
        del into[first]
    rows = []
    for number in finest.numbers:
        edit = edits.get(number, {})
        name, colour = edit.get("name", names[number]), edit.get("colour", colours[number])
        if number in ignored and number not in into:
            name, colour = IGNORED, GREY
        elif number in was_ignored - ignored:  # its own again
            name, colour = "" if name == IGNORED else name, "" if colour == GREY else colour
        last = _last(into, number)
        rows.append(
            {"cluster": str(number), "name": name, "colour": colour, "into": str(last) if last != number else ""}
        )
    return rows


def _last(into: Mapping[int, int], number: int) -> int:
    """The cluster that a number is merged into in the end; itself for one of its own."""
    seen = [number]
    while number in into:
        number = into[number]
        if number in seen:
            raise SettingsError(
                f"clusters {number} and {seen[-1]} are merged into each other: leave one its own.", "E_CLASSES"
            )
        seen.append(number)
    return number
