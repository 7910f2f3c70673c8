"""The help text of an option: description, commands that have it, range and default, merged over variants."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic.fields import FieldInfo

from .command import Command, Variant
from .expected import range_text
from .option import Option


@dataclass(frozen=True, slots=True)
class Entry:
    """A field in one variant of one command."""

    command: Command
    variant: Variant
    name: str
    field: FieldInfo

    @property
    def option(self) -> Option:
        """The field's `Option`. Raises TypeError where it has none, as every setting must be an option."""
        for value in self.field.metadata:
            if isinstance(value, Option):
                return value
        raise TypeError(f"{self.variant.settings.__name__}.{self.name} has no Option: annotate it with one.")


def help_text(entries: list[Entry], all_entries: list[Entry]) -> str:
    """Help of one setting. `entries`: its fields in all variants; `all_entries`: all fields of these commands."""
    facts = (
        _only(entries, all_entries),
        _together([(e, range_text(e.field)) for e in entries]),
        _together([(e, default_text(e.field, e.option)) for e in entries], "default: "),
    )
    return " ".join([_sentences(entries), *(f"[{fact}]" for fact in facts if fact)])


def default_text(field: FieldInfo, option: Option) -> str:
    """The default as shown in help; empty where there is none.

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


def _only(entries: list[Entry], all_entries: list[Entry]) -> str:
    """The runs, images or variants that have the setting, if not all do: `slides and volumes with --tile only`."""
    runs = dict.fromkeys(map(_run, entries))
    all_runs = set(map(_run, all_entries))
    if len(runs) < len(all_runs):
        return f"{' and '.join(runs)} only"
    all_images = list(dict.fromkeys(map(_images, all_entries)))
    parts = [part for images in all_images if (part := _of(images, entries, all_entries))]
    return "" if parts == all_images else f"{' and '.join(parts)} only"


def _of(images: str, entries: list[Entry], all_entries: list[Entry]) -> str:
    """The images, if one of their variants has the setting, with the option that selects such a variant, if needed."""
    variants_with = {(e.command.name, e.variant.name): e.variant for e in entries if e.variant.images == images}
    variants = {(e.command.name, e.variant.name): e.variant for e in all_entries if e.variant.images == images}
    variants_without = [variant for key, variant in variants.items() if key not in variants_with]
    several_runs = len({e.command.name for e in all_entries}) > 1
    if (
        not variants_with
        or not variants_without
        or several_runs
        or any(v.given == entries[0].name for v in variants_with.values())
    ):
        return images if variants_with else ""
    if all(v.option for v in variants_with.values()):
        return f"{images} with {next(iter(variants_with.values())).option}"
    if not all(v.option for v in variants_without):
        return images
    return f"{images} without {' or '.join(dict.fromkeys(v.option for v in variants_without))}"


def _sentences(entries: list[Entry]) -> str:
    """The distinct descriptions; every one after the first names its run."""
    sentences: dict[str, str] = {}
    for entry in entries:
        text = entry.field.description or ""
        sentences.setdefault(text, f"Of {_run(entry)}: {text[:1].lower()}{text[1:]}" if sentences else text)
    return " ".join(filter(None, sentences.values()))


def _together(texts: list[tuple[Entry, str]], prefix: str = "") -> str:
    """The first text, then the texts that differ from it: `128; of volumes 16`."""
    pairs = [(entry, text) for entry, text in texts if text]
    if not pairs:
        return ""
    labels = _labels(pairs)
    main_text = pairs[0][1]
    labels_by_text: dict[str, list[str]] = {}
    for name, text in labels.items():
        if text != main_text:
            labels_by_text.setdefault(text, []).append(name)
    return "; ".join(
        [prefix + main_text, *(f"of {' and '.join(names)} {text}" for text, names in labels_by_text.items())]
    )


def _labels(pairs: list[tuple[Entry, str]]) -> dict[str, str]:
    """Label -> text, by the coarsest label that distinguishes the texts: images, else runs, else variants."""
    for label in (_images, _run):
        labels: dict[str, set[str]] = {}
        for entry, text in pairs:
            labels.setdefault(label(entry), set()).add(text)
        if all(len(texts) == 1 for texts in labels.values()):
            return {name: texts.pop() for name, texts in labels.items()}
    return {_variant(entry): text for entry, text in pairs}


def _images(entry: Entry) -> str:
    return entry.variant.images


def _run(entry: Entry) -> str:
    return f"`run {entry.command.name}`"


def _variant(entry: Entry) -> str:
    return f"{entry.command.name} {entry.variant.name.replace('-', ' ')}"
