"""typed: settings in the words that a user typed, and what a default became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...models.training.budget import EFFORT_FACTORS
from .option import Option
from .settings import RunSettings


def typed(name: str, value: Any) -> str:
    """A setting's value as a user types it: quick for 0.4 of an effort, 5 for the range 5-5."""
    if name == "effort":
        return next((word for word, factor in EFFORT_FACTORS.items() if factor == value), str(value))
    if value in (None, "", [], ()):
        return "not given"
    if isinstance(value, list | tuple):
        return _joined(name, value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _joined(name: str, values: Sequence[Any]) -> str:
    """Numbers and words as one text; of rows of a table that the user gave as a file, how many there are."""
    if any(isinstance(one, list | tuple) for one in values):
        return f"{len(values)} row{'' if len(values) == 1 else 's'}"
    ends = list(dict.fromkeys(values)) if name == "k" else values
    return ("-" if name == "k" else ",").join(map(str, ends))


def settings_shown(settings: RunSettings, became: Mapping[str, str]) -> dict[str, str]:
    """Every setting as a user types it; of those that stand for another value, what each `became`, or in words.

    A value that nobody gave, or that is the one which everybody has, is called the default.
    """
    shown = {}
    for name, value in settings:
        field = type(settings).model_fields[name]
        if value != field.get_default():
            shown[name] = typed(name, value)
            continue
        words = next((one.default for one in field.metadata if isinstance(one, Option) and one.default), "")
        is_computed = value in (None, "", [], ()) or (words and not value)
        text = became.get(name, "") or ("" if is_computed else typed(name, value))
        why = f": {words}" if words and words != text else ""
        shown[name] = " ".join(filter(None, (text, f"(default{why})")))
    return shown
