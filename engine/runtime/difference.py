"""difference: what is another in a command than in the run that OUT holds, in the words that a user typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...version import VERSION
from ..pipeline.documents import RunDocument
from ..pipeline.record import ImageRecord
from ..pipeline.settings import RunSettings
from ..pipeline.typed import typed


def settings_diff(
    previous: RunDocument, settings: RunSettings, spacing: float, length: Callable[[float], str]
) -> list[str]:
    """The settings that are others now, and a spacing that follows from other images."""
    values, previous_values = settings.model_dump(mode="json"), previous.settings
    lines = [] if previous.tile_engine == VERSION else [f"tile-engine: {previous.tile_engine} -> {VERSION}"]
    lines += [
        f"{k}: {typed(k, previous_values.get(k))} -> {typed(k, v)}"
        for k, v in values.items()
        if previous_values.get(k) != v
    ]
    if previous.spacing != spacing and previous_values.get("spacing") == values.get("spacing"):
        lines.append(f"spacing of the run: {length(previous.spacing)} -> {length(spacing)}")
    return lines


def slides_diff(
    previous: Mapping[str, ImageRecord], slides: Mapping[str, ImageRecord], noun: str = "slide"
) -> list[str]:
    """The images that were added, removed or changed, by name; not those that only the run's spacing changes."""
    lines = [f"{noun} added: {slides[s].name}" for s in slides.keys() - previous.keys()]
    lines += [f"{noun} removed: {previous[s].name}" for s in previous.keys() - slides.keys()]
    common_ids = previous.keys() & slides.keys()
    masks = {s for s in common_ids if previous[s].tissue_mask_fingerprint != slides[s].tissue_mask_fingerprint}
    lines += [f"{noun} with another tissue mask: {slides[s].name}" for s in masks]
    for s in common_ids - masks:
        lines += _change(previous[s], slides[s], noun) if previous[s].key != slides[s].key else []
    lines += [
        f"{noun} with other columns in the list: {slides[s].name}"
        for s in common_ids
        if previous[s].columns_digest != slides[s].columns_digest
    ]
    return sorted(lines)


def is_changed(previous: Mapping[str, ImageRecord], slides: Mapping[str, ImageRecord]) -> bool:
    """Whether an image of both has other pixels in the run, for whatever reason."""
    return any(previous[s].key != slides[s].key for s in previous.keys() & slides.keys())


def _change(before: ImageRecord, now: ImageRecord, noun: str) -> list[str]:
    """What is another in an image; nothing where only the run's spacing is, which is said of the run."""
    if [mark for _, mark in before.files] != [mark for _, mark in now.files]:
        return [f"{noun} changed: {now.name}"]
    if before.mpp != now.mpp:
        return [f"{noun} with another mpp: {now.name} ({typed('mpp', before.mpp)} -> {typed('mpp', now.mpp)})"]
    if (before.subimage, before.stains, before.labels) != (now.subimage, now.stains, now.labels):
        return [f"{noun} read in another way: {now.name}"]
    return []
