"""Subjects and sessions of a list, matched to those of files that spell them otherwise: `1` to `sub-01` if unambiguous."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable


def match_subjects(listed: Collection[str], present: Collection[str]) -> dict[str, str]:
    """Subject of the list -> subject of the files. A spelling that fits several subjects, on either side, fits none.

    >>> match_subjects(["1", "02", "sub-3", "x"], ["sub-01", "sub-02", "sub-03", "sub-04"])
    {'1': 'sub-01', '02': 'sub-02', 'sub-3': 'sub-03'}
    """
    found: dict[str, str] = {}
    for spelling in (str, _plain, _without_zeros):
        left, right, taken = _by(spelling, listed), _by(spelling, present), set(found.values())
        found |= {
            names[0]: right[key][0]
            for key, names in left.items()
            if len(names) == 1 and len(right.get(key, [])) == 1 and names[0] not in found and right[key][0] not in taken
        }
    return {one: found[one] for one in listed if one in found}


def _by(spelling: Callable[[str], str], names: Iterable[str]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for name in names:
        out.setdefault(spelling(name), []).append(name)
    return out


def _plain(name: str) -> str:
    """Letters and digits, without case and the prefix `sub-` or `ses-`, which hold no punctuation in names of files."""
    text = unicodedata.normalize("NFC", name).casefold()
    return re.sub(r"[\W_]+", "", re.sub(r"^(sub|ses)-", "", text))


def _without_zeros(name: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", _plain(name))
