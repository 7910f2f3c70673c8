"""napari_reader: what napari's plug-in system calls to open a run, or one image of it: layers with names, colours and places.

napari itself is never imported: its layers are given as tuples (data, options, type). The manifest is `napari.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import SettingsError
from ...stores.array_like import ArrayLike
from ...stores.image import StoredImage, attributes_of
from ...stores.remote import to_path
from ..export.fields import Field, fields_of
from ..export.sidecars import labels_of
from ..runtime.load import load

if TYPE_CHECKING:
    from ..pipeline.job import Job
    from ..pipeline.settings import RunSettings

LayerData = tuple[Any, dict[str, Any], str]
Read = Callable[[str], list[LayerData]]
MOST_IMAGES = 50
"""Images of a run that are opened at once; each has some ten layers."""
COLOURMAP = "viridis"


def reader_for(path: str | Sequence[str]) -> Read | None:
    """The reader of a run's folder, or of one image's store in it; None for anything else."""
    if not isinstance(path, str):
        if len(path) != 1:
            return None
        path = path[0]
    return read_layers if _run_and_image(path) else None


def read_layers(path: str) -> list[LayerData]:
    """The layers of all images of a run, or of one; those of the first image are shown.

    Raises SettingsError (E_FOLDER) for a run of more than 50 images, and for a run on films.
    """
    found = _run_and_image(path)
    if not found:
        raise SettingsError(f"{path} is neither the folder of a run nor an image of one.", "E_NO_RUN")
    job = load(found[0])
    images = [found[1]] if found[1] else list(job.slides)
    if len(images) > MOST_IMAGES or job.folder.images == "films":
        raise SettingsError(
            f"{path} is a run on {len(images):,} {job.folder.images}, and at most {MOST_IMAGES} images are opened at once, and "
            f"no films: open one of the stores in {job.folder.out / job.folder.images}.",
            "E_FOLDER",
        )
    return [
        (data, options | {"visible": options["visible"] and n == 0}, kind)
        for n, image in enumerate(images)
        for data, options, kind in _layers(job, image)
    ]


def _run_and_image(path: str) -> tuple[Path, str] | None:
    """(OUT, id) of an image's store, (OUT, "") of a run; None for another path."""
    place = to_path(path)
    if (place / "run.json").exists():
        return place, ""
    out = place.parent.parent
    is_store = place.name.endswith(".ome.zarr") and (out / "run.json").exists()
    return (out, place.name.removesuffix(".ome.zarr")) if is_store else None


def _layers(job: Job[RunSettings], image: str) -> Iterator[LayerData]:
    """Image, labels and layers of an image, the image first."""
    name = job.slides[image].name
    store = job.folder.slide(image)
    yield from _pictures(StoredImage.open(store), name, shown=True)
    for field in sorted(fields_of(store), key=lambda one: one.is_label):
        if not field.is_finished:
            continue
        stored, title = StoredImage.open(field.path), f"{name}: {field.name}"
        if field.is_label:
            yield _label(field, stored, title)
        else:
            yield _layer(stored, title)


def _pictures(image: StoredImage, name: str, *, shown: bool) -> Iterator[LayerData]:
    """RGB where it is, else a layer for each channel in its colour."""
    position = _position(image)
    if image.channels == 3 and image.dtype == "uint8":
        limits = {"contrast_limits": [0, 255]}
        yield _levels(image, rgb=True), {"name": name, "rgb": True, "visible": shown, **limits, **position}, "image"
        return
    channels = attributes_of(image.path)["ome"].get("omero", {}).get("channels", [{}] * image.channels)
    for number, channel in enumerate(channels):
        title = f"{name}: {channel.get('label', number)}" if image.channels > 1 else name
        visible = shown and channel.get("active", True)
        options = {"name": title, "rgb": False, "visible": visible, **position}
        if image.channels > 1:
            options |= {"blending": "additive"} | ({"colormap": f"#{channel['color']}"} if "color" in channel else {})
        yield _levels(image, channel=number), options | _limits([channel]), "image"


def _layer(image: StoredImage, title: str) -> LayerData:
    """A layer of one channel, or all channels behind a slider."""
    channels = attributes_of(image.path)["ome"].get("omero", {}).get("channels", [])
    several = image.channels > 1
    options = {"name": title, "rgb": False, "visible": False, "opacity": 0.7, "colormap": COLOURMAP}
    levels = _levels(image, channel=None if several else 0)
    return levels, options | _position(image, channels=several) | _limits(channels), "image"


def _label(field: Field, image: StoredImage, title: str) -> LayerData:
    rows = labels_of(field, ())
    colours: dict[int | None, str] = {None: "transparent", 0: "transparent"}
    colours |= {value: colour for value, _, colour in rows if colour != "n/a"}
    features = {"index": [0, *(value for value, _, _ in rows)], "class": ["none", *(name for _, name, _ in rows)]}
    shown = field.name != "tissue"
    options = {"name": title, "visible": shown, "opacity": 0.5, "colormap": colours, "features": features}
    return _levels(image), options | _position(image), "labels"


def _levels(image: StoredImage, **options: Any) -> ArrayLike | list[ArrayLike]:
    """Its levels; a single one by itself, since napari takes the planes of a lonely level for levels."""
    levels = [ArrayLike(image, level, **options) for level in range(len(image.frames))]
    return levels if len(levels) > 1 else levels[0]


def _position(image: StoredImage, *, channels: bool = False) -> dict[str, Any]:
    """Scale and position in micrometres, as NGFF states them; of an oblique volume the whole affine."""
    frame = image.frames[0]
    lead = [1.0] if channels else []
    units = ["pixel", *["um"] * len(frame.shape)] if channels else "um"
    if not image.placement.straight:
        affine = np.eye(len(lead) + 4)
        affine[len(lead) :, len(lead) :] = image.placement.of_cells(frame)
        return {"affine": affine, "units": units}
    stated = attributes_of(image.path)["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    scale, shift = (one[one["type"]][-len(lead) - len(frame.shape) :] for one in stated)
    return {"scale": scale, "translate": shift, "units": units}


def _limits(channels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The range of values that the channels have in use, where they state it."""
    windows = [channel["window"] for channel in channels if "window" in channel]
    if not windows:
        return {}
    return {"contrast_limits": [min(w["start"] for w in windows), max(w["end"] for w in windows)]}
