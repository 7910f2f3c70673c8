"""Labels of films from two fields of a report: normal where both say so, abnormal where neither does, else left out.

Source: Kurotaki et al., section 3.1: findings and the final decision. A film of which only one field is normal is of no
class: it would be ambiguous.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ...errors import SettingsError
from ..lists.cells import value_of

NORMAL, ABNORMAL = "normal", "abnormal"


@dataclass(frozen=True, slots=True)
class FieldLabels:
    """Labels of films, and how many have which."""

    labels: tuple[str, ...]
    """`NORMAL`, `ABNORMAL`, or empty for a film that is left out."""
    normal: int
    abnormal: int
    disagreeing: int
    """Left out: exactly one field says normal."""
    unstated: int
    """Left out: a field is empty."""


def two_field_labels(
    columns: Mapping[str, Sequence[str]],
    fields: tuple[str, str],
    normal_values: tuple[Collection[str], Collection[str]],
) -> FieldLabels:
    """Labels of films by two columns and, for each, the values that mean normal; width and case of letters do not count.

    Raises SettingsError (E_MANIFEST) for a column that is missing, columns of different lengths, no normal value, or a normal
    value that no film has.

    >>> rows = {"findings": ["none", "nodule", "none"], "decision": ["ok", "recall", "recall"]}
    >>> two_field_labels(rows, ("findings", "decision"), ({"none"}, {"ok"})).labels
    ('normal', 'abnormal', '')
    """
    if fields[0] == fields[1]:
        raise SettingsError(f"two fields decide a label, and both are {fields[0]!r}. Name two columns.", "E_MANIFEST")
    cells = [_cells(columns, name) for name in fields]
    if len(cells[0]) != len(cells[1]):
        raise SettingsError(
            f"column {fields[0]!r} has {len(cells[0])} rows and {fields[1]!r} {len(cells[1])}: a film has one of each.",
            "E_MANIFEST",
        )
    votes = [_votes(name, texts, normal) for name, texts, normal in zip(fields, cells, normal_values, strict=True)]
    labels, disagreeing, unstated = [], 0, 0
    for first, second in zip(*votes, strict=True):
        unstated += first is None or second is None
        disagreeing += first is not None and second is not None and first != second
        labels.append("" if first is None or first != second else NORMAL if first else ABNORMAL)
    return FieldLabels(tuple(labels), labels.count(NORMAL), labels.count(ABNORMAL), disagreeing, unstated)


def _cells(columns: Mapping[str, Sequence[str]], name: str) -> list[str]:
    if name not in columns:
        raise SettingsError(
            f"column {name!r} is missing, so no film has a label by it. There is: {', '.join(map(repr, columns)) or 'none'}.",
            "E_MANIFEST",
        )
    return [_plain(value_of(cell)) for cell in columns[name]]


def _votes(name: str, texts: Sequence[str], normal_values: Collection[str]) -> list[bool | None]:
    """Of each film whether a field says normal; None where it says nothing."""
    normal = {_plain(value) for value in ([normal_values] if isinstance(normal_values, str) else normal_values)} - {""}
    if not normal or (texts and normal.isdisjoint(texts)):
        values = ", ".join(repr(text) for text in sorted(set(texts))[:8])
        raise SettingsError(
            f"no film has one of the normal values {sorted(normal)} in column {name!r}, so every film would be abnormal by it. "
            f"Its values are: {values}.",
            "E_MANIFEST",
        )
    return [text in normal if text else None for text in texts]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()
