"""difference: what is another in a command than in the run that OUT holds, in the words that a user typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...models.training.budget import EFFORT_FACTORS
from ...version import VERSION
from ..pipeline.documents import RunDocument
from ..pipeline.record import ImageRecord
from ..pipeline.settings import RunSettings


def settings_diff(previous: RunDocument, settings: RunSettings, spacing: float) -> list[str]:
    """The settings that are others now, and a spacing that follows from other images."""
    values, previous_values = settings.model_dump(mode="json"), previous.settings
    lines = [] if previous.tile_engine == VERSION else [f"tile-engine: {previous.tile_engine} -> {VERSION}"]
    lines += [
        f"{k}: {_typed(k, previous_values.get(k))} -> {_typed(k, v)}"
        for k, v in values.items()
        if previous_values.get(k) != v
    ]
    if previous.spacing != spacing and previous_values.get("spacing") == values.get("spacing"):
        lines.append(f"spacing of the run: {previous.spacing:g} -> {spacing:g} um")
    return lines


def slides_diff(previous: Mapping[str, ImageRecord], slides: Mapping[str, ImageRecord]) -> list[str]:
    """The images that were added, removed or changed, by name; not those that only the run's spacing changes."""
    lines = [f"slide added: {slides[s].name}" for s in slides.keys() - previous.keys()]
    lines += [f"slide removed: {previous[s].name}" for s in previous.keys() - slides.keys()]
    common_ids = previous.keys() & slides.keys()
    masks = {s for s in common_ids if previous[s].tissue_mask_fingerprint != slides[s].tissue_mask_fingerprint}
    lines += [f"slide with another tissue mask: {slides[s].name}" for s in masks]
    for s in common_ids - masks:
        lines += _change(previous[s], slides[s]) if previous[s].key != slides[s].key else []
    lines += [
        f"slide with other columns in the list: {slides[s].name}"
        for s in common_ids
        if previous[s].columns_digest != slides[s].columns_digest
    ]
    return sorted(lines)


def is_changed(previous: Mapping[str, ImageRecord], slides: Mapping[str, ImageRecord]) -> bool:
    """Whether an image of both has other pixels in the run, for whatever reason."""
    return any(previous[s].key != slides[s].key for s in previous.keys() & slides.keys())


def _change(before: ImageRecord, now: ImageRecord) -> list[str]:
    """What is another in an image; nothing where only the run's spacing is, which is said of the run."""
    if [mark for _, mark in before.files] != [mark for _, mark in now.files]:
        return [f"slide changed: {now.name}"]
    if before.mpp != now.mpp:
        return [f"slide with another mpp: {now.name} ({_typed('mpp', before.mpp)} -> {_typed('mpp', now.mpp)})"]
    if (before.subimage, before.stains, before.labels) != (now.subimage, now.stains, now.labels):
        return [f"slide read in another way: {now.name}"]
    return []


def _typed(name: str, value: Any) -> str:
    """A setting's value as a user types it: quick for 0.4 of an effort, 5 for the range 5-5."""
    if name == "effort":
        return next((word for word, factor in EFFORT_FACTORS.items() if factor == value), str(value))
    if isinstance(value, list) and all(isinstance(one, int) for one in value):
        ends = list(dict.fromkeys(value)) if name == "k" else value
        return ("-" if name == "k" else ",").join(map(str, ends))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "the default" if value in (None, "", []) else str(value)
