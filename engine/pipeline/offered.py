"""Offered: the options of a command, collected from the settings models of its variants and merged by name."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from .command import Command
from .option import PANELS, Option
from .option_help import Entry, help_text


@dataclass(frozen=True, slots=True)
class Offered:
    """One option of a command, with the text of its help."""

    name: str
    """Name of the field, and of the keyword in Python."""
    option: str
    """The option on the command line: --max-bad-tiles."""
    kind: type
    """bool, int, float or str."""
    help: str
    """Description, range and default."""
    panel: str
    metavar: str
    default: Any = None
    """None where the default differs between variants, or where the setting selects the variant."""
    annotation: Any = Any
    """The type of the keyword in Python."""


def offered_by(command: Command) -> tuple[Offered, ...]:
    """All settings of a command: the union of its variants' fields, ordered by panel."""
    return _merged(list(_entries([command])))


def offered_by_stage(commands: Iterable[Command], stage: str) -> tuple[Offered, ...]:
    """The settings of all commands that steps of one stage read."""
    return _merged(list(_entries(commands)), stage)


def offered_of(kind: type) -> tuple[Offered, ...]:
    """The fields of a dataclass that are annotated with an `Option`."""
    options = []
    for name, annotation in get_type_hints(kind, include_extras=True).items():
        option = next((v for v in get_args(annotation)[1:] if isinstance(v, Option)), None)
        if option is not None:
            plain = _plain(get_args(annotation)[0])
            text = option.help + (f" [default: {option.default}]" if option.default else "")
            options.append(Offered(name, _typed(name), plain, text, option.panel, option.metavar or _metavar(plain)))
    return tuple(options)


def _entries(commands: Iterable[Command]) -> Iterator[Entry]:
    for command in commands:
        for variant in command.variants:
            for name, field in variant.settings.model_fields.items():
                yield Entry(command, variant, name, field)


def _merged(entries: list[Entry], stage: str = "") -> tuple[Offered, ...]:
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        if not stage or stage in entry.option.stages:
            by_name.setdefault(entry.name, []).append(entry)
    options = [_offered(group, entries, spelled=not stage) for group in by_name.values()]
    return tuple(sorted(options, key=lambda offered: PANELS.index(offered.panel)))


def _offered(group: list[Entry], entries: list[Entry], *, spelled: bool) -> Offered:
    entry = group[0]
    name, option, annotation = entry.name, entry.option, entry.field.annotation
    chooser = [e.variant for e in group if e.variant.given == name]
    about = dict.fromkeys(v.about for v in chooser if v.about and spelled)
    differs = bool(chooser) or any(e.field.default != entry.field.default for e in group)
    kind = _plain(annotation)
    return Offered(
        name,
        (chooser[0].option if chooser and spelled else "") or _typed(name),
        kind,
        " ".join([*about, help_text(group, entries)]),
        option.panel,
        option.metavar or (_metavar(annotation) if all(e.field.annotation == annotation for e in group) else "TEXT"),
        None if differs else entry.field.default,
        _accepted(entry, none=differs),
    )


def _accepted(entry: Entry, *, none: bool) -> Any:
    """The type of the keyword in Python: the field's type, and other types that its model converts to it."""
    found: Any = entry.field.annotation
    if entry.option.accepts is not None:
        found = found | entry.option.accepts
    return found | None if none else found


def _typed(name: str) -> str:
    return "--" + name.strip("_").replace("_", "-")


def _inner(annotation: Any) -> Any:
    """The first type of a union other than None: X of `X | None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation


def _plain(annotation: Any) -> type:
    inner = _inner(annotation)
    return inner if inner in (bool, int, float) else str


def _metavar(annotation: Any) -> str:
    inner = _inner(annotation)
    if get_origin(inner) is Literal:
        return "|".join(map(str, get_args(inner)))
    return {int: "INTEGER", float: "NUMBER"}.get(inner, "TEXT")
