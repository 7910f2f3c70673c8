"""Offered: the options of a command, read from the settings models of its variants and merged where variants differ."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from .command import Command, Variant
from .option import PANELS, Option


@dataclass(frozen=True, slots=True)
class Offered:
    """One option, ready to be shown."""

    name: str
    """Of the field, and of the keyword in Python."""
    option: str
    """As it is typed: --max-bad-tiles."""
    kind: type
    """bool, int, float or str."""
    help: str
    """Description, range and default."""
    panel: str
    metavar: str
    default: Any = None
    """None where it differs between variants, or where giving the setting chooses the variant."""
    annotation: Any = Any
    """The type of the keyword in Python."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A field in one variant of one command."""

    command: Command
    variant: Variant
    name: str
    field: FieldInfo

    @property
    def option(self) -> Option:
        """Raises TypeError where a setting lacks its `Option`: every setting is offered."""
        for value in self.field.metadata:
            if isinstance(value, Option):
                return value
        raise TypeError(f"{self.variant.settings.__name__}.{self.name} has no Option: annotate it with one.")


def offered_by(command: Command) -> tuple[Offered, ...]:
    """All settings of a run: the union of its variants' fields, by panel."""
    return _merged(list(_entries([command])))


def offered_by_stage(commands: Iterable[Command], stage: str) -> tuple[Offered, ...]:
    """Settings of any run that steps of one stage read."""
    return _merged(list(_entries(commands)), stage)


def offered_of(kind: type) -> tuple[Offered, ...]:
    """Fields of a dataclass that carry an `Option`."""
    found = []
    for name, annotation in get_type_hints(kind, include_extras=True).items():
        option = next((v for v in get_args(annotation)[1:] if isinstance(v, Option)), None)
        if option is not None:
            plain = _plain(get_args(annotation)[0])
            text = option.help + (f" [default: {option.default}]" if option.default else "")
            found.append(Offered(name, _typed(name), plain, text, option.panel, option.metavar or _metavar(plain)))
    return tuple(found)


def default_text(field: FieldInfo, option: Option) -> str:
    """The default as help says it; empty where there is none to say.

    >>> default_text(FieldInfo(default=(2, 20)), Option("")), default_text(FieldInfo(default=1.0), Option(""))
    ('2-20', '1')
    >>> default_text(FieldInfo(default=0), Option("", default="half a patch"))
    'half a patch'
    """
    value = field.default
    if option.default or value is None:
        return option.default
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


def range_text(field: FieldInfo) -> str:
    """What values are allowed, from the field's bounds; empty where all are.

    >>> from pydantic import Field
    >>> range_text(Field(16, ge=16, le=128, multiple_of=8)), range_text(Field(1.0, gt=0)), range_text(Field(1, ge=0))
    ('16 to 128 in steps of 8', 'over 0', '0 or more')
    """
    bounds: dict[str, Any] = {}
    for value in field.metadata:
        if dataclasses.is_dataclass(value) and not isinstance(value, (type, Option)):
            bounds |= dataclasses.asdict(value)
    most = bounds.get("le", bounds["lt"] - 1 if "lt" in bounds else None)
    if "gt" in bounds:
        text = f"over {bounds['gt']}" + ("" if most is None else f", up to {most}")
    elif "ge" in bounds:
        text = f"{bounds['ge']} or more" if most is None else f"{bounds['ge']} to {most}"
    else:
        text = "" if most is None else f"up to {most}"
    return text + (f" in steps of {bounds['multiple_of']}" if "multiple_of" in bounds else "")


def _entries(commands: Iterable[Command]) -> Iterator[_Entry]:
    for command in commands:
        for variant in command.variants:
            for name, field in variant.settings.model_fields.items():
                yield _Entry(command, variant, name, field)


def _merged(entries: list[_Entry], stage: str = "") -> tuple[Offered, ...]:
    by_name: dict[str, list[_Entry]] = {}
    for entry in entries:
        if not stage or stage in entry.option.stages:
            by_name.setdefault(entry.name, []).append(entry)
    found = [_offered(same, entries, spelled=not stage) for same in by_name.values()]
    return tuple(sorted(found, key=lambda offered: PANELS.index(offered.panel)))


def _offered(same: list[_Entry], every: list[_Entry], *, spelled: bool) -> Offered:
    first = same[0]
    name, option, annotation = first.name, first.option, first.field.annotation
    chooser = [e.variant for e in same if e.variant.given == name]
    about = [v.about for v in chooser if v.about and spelled]
    texts = [*about, _sentences([(e, e.field.description or "") for e in same])]
    facts = (
        _only(same, every),
        _together([(e, range_text(e.field)) for e in same]),
        _together([(e, default_text(e.field, e.option)) for e in same], "default: "),
    )
    differs = bool(chooser) or any(e.field.default != first.field.default for e in same)
    kind = _plain(annotation)
    return Offered(
        name,
        (chooser[0].option if chooser and spelled else "") or _typed(name),
        kind,
        " ".join([*texts, *(f"[{fact}]" for fact in facts if fact)]),
        option.panel,
        option.metavar or (_metavar(annotation) if all(e.field.annotation == annotation for e in same) else "TEXT"),
        None if differs else first.field.default,
        _accepted(first, none=differs),
    )


def _only(same: list[_Entry], every: list[_Entry]) -> str:
    """Whose setting it is, where not all runs, images or variants have it: `slides and volumes with --tile only`."""
    runs = dict.fromkeys(map(_run, same))
    all_runs = set(map(_run, every))
    if len(runs) < len(all_runs):
        return f"{' and '.join(runs)} only"
    all_images = list(dict.fromkeys(map(_images, every)))
    parts = [part for images in all_images if (part := _of(images, same, every))]
    return "" if parts == all_images else f"{' and '.join(parts)} only"


def _of(images: str, same: list[_Entry], every: list[_Entry]) -> str:
    """These images, where a variant on them has the setting, and the option that such a variant is chosen by."""
    having = {(e.command.name, e.variant.name): e.variant for e in same if e.variant.images == images}
    variants = {(e.command.name, e.variant.name): e.variant for e in every if e.variant.images == images}
    missing = [variant for key, variant in variants.items() if key not in having]
    several = len({e.command.name for e in every}) > 1
    if not having or not missing or several or any(v.given == same[0].name for v in having.values()):
        return images if having else ""
    if all(v.option for v in having.values()):
        return f"{images} with {next(iter(having.values())).option}"
    return f"{images} without {missing[0].option}" if all(v.option for v in missing) else images


def _sentences(texts: list[tuple[_Entry, str]]) -> str:
    """Descriptions, each once, with the run that a further one is of."""
    found: dict[str, str] = {}
    for entry, text in texts:
        found.setdefault(text, f"Of {_run(entry)}: {text[:1].lower()}{text[1:]}" if found else text)
    return " ".join(filter(None, found.values()))


def _together(texts: list[tuple[_Entry, str]], before: str = "") -> str:
    """The first text, and what others have instead: `128; of volumes 16`."""
    said = [(entry, text) for entry, text in texts if text]
    if not said:
        return ""
    labels = _labels(said)
    first = said[0][1]
    others: dict[str, list[str]] = {}
    for name, text in labels.items():
        if text != first:
            others.setdefault(text, []).append(name)
    return "; ".join([before + first, *(f"of {' and '.join(names)} {text}" for text, names in others.items())])


def _labels(said: list[tuple[_Entry, str]]) -> dict[str, str]:
    """What tells the texts apart, in the shortest words that do: images, else runs, else variants."""
    for label in (_images, _run):
        labels: dict[str, set[str]] = {}
        for entry, text in said:
            labels.setdefault(label(entry), set()).add(text)
        if all(len(texts) == 1 for texts in labels.values()):
            return {name: texts.pop() for name, texts in labels.items()}
    return {_variant(entry): text for entry, text in said}


def _images(entry: _Entry) -> str:
    return entry.variant.images


def _run(entry: _Entry) -> str:
    return f"`run {entry.command.name}`"


def _variant(entry: _Entry) -> str:
    return f"{entry.command.name} {entry.variant.name.replace('-', ' ')}"


def _accepted(entry: _Entry, *, none: bool) -> Any:
    """The type of the keyword in Python: of the field, and of what the model makes the same of."""
    found: Any = entry.field.annotation
    if entry.option.accepts is not None:
        found = found | entry.option.accepts
    return found | None if none else found


def _typed(name: str) -> str:
    return "--" + name.replace("_", "-")


def _inner(annotation: Any) -> Any:
    """The type of a value that is given: X of `X | None`, the first of several."""
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
