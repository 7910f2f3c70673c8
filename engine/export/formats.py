"""Formats: what an image of a run can be exported as, apart from NIfTI, and the writing of one such export.

An image's files are written into a folder of a temporary name, known by a receipt, and then given their names.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ...errors import UnfinishedError
from ...stores.array import Written
from ...stores.files import DISK_FULL_ERRNOS, partial_path, target_of
from ...stores.image import StoredImage, is_finished
from ...stores.ome_tiff import write_ome_tiff
from ...stores.partial_file import crc32_of
from ...stores.zarr_v2 import consolidate, write_group, write_v2
from ..pipeline.listing import first_of
from ..pipeline.record import digest
from .label_grid import is_off_grid, labels_on_image
from .outlines import write_outlines
from .owned import State, export_state, forget, remember
from .parquet import check_pyarrow, write_parquet
from .patch_features import write_patch_features
from .picked import EMBEDDING, Picked
from .spatial_data import write_spatial_data

VERSION = 4
"""Changes when the same results would be written otherwise."""

MANY_FILES = 256
"""Of more files than this, all disks are flushed at once: a flush of each takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write an image of a run for other programs."""

    names: Callable[[Picked], list[str]]
    """Names of the files and folders that it writes."""
    write: Callable[[Picked, Path], None]
    """Write them into a folder."""
    what: str
    """What it holds, and which programs open it."""
    volumes: bool = False
    """Whether it holds volumes, too."""
    pixels: bool = True
    """Whether it holds the image's pixels."""
    labels: bool = True
    """Whether it holds labels."""
    needs_tiles: bool = False
    """Whether it holds tiles with their embeddings."""
    tiles: bool = False
    """Whether it may hold tiles in addition, by the name `tiles` among the layers."""
    available: Callable[[], None] = lambda: None
    """Raises MachineError where a package that it needs is not installed."""


def write_ome_zarr(picked: Picked, folder: Path) -> None:
    """Write ID.ome.zarr as OME-Zarr 0.4: the image, and its labels where readers look for them."""
    root = folder / f"{picked.image}.ome.zarr"
    write_v2(root, picked.stored, picked.record.id)
    if picked.labels:
        write_group(root / "labels", {"labels": [field.name for field in picked.labels]})
    with labels_on_image(picked, folder) as labels:
        for name, label in labels:
            write_v2(root / "labels" / name, label, name)
    consolidate(root, zarr_format=2)


def write_tiffs(picked: Picked, folder: Path) -> None:
    """Write ID.ome.tif, and ID.NAME.ome.tif of every label. Names in them are ids: paths may hold names of patients."""
    image, *names = names_of_tiffs(picked)
    key = fingerprint_of("ome-tiff", picked)
    write_ome_tiff(folder / image, picked.stored, name=picked.image, key=key, channels=picked.record.channel_names)
    with labels_on_image(picked, folder) as labels:
        for file, (name, label) in zip(names, labels, strict=True):
            write_ome_tiff(folder / file, label, name=f"{picked.image}, {name}", key=key)


def names_of_tiffs(picked: Picked) -> list[str]:
    return [f"{picked.image}.ome.tif", *(f"{picked.image}.{field.name}.ome.tif" for field in picked.labels)]


FORMATS: Mapping[str, Format] = {
    "ome-zarr-0.4": Format(
        lambda picked: [f"{picked.image}.ome.zarr"],
        write_ome_zarr,
        "images with their labels, for Fiji and QuPath",
        volumes=True,
    ),
    "ome-tiff": Format(names_of_tiffs, write_tiffs, "images and labels as pyramids, for QuPath, Fiji and Bio-Formats"),
    "spatialdata": Format(
        lambda picked: [f"{picked.image}.zarr"],
        write_spatial_data,
        "images, labels and tiles together, for spatialdata, napari and LazySlide",
        needs_tiles=True,
    ),
    "h5": Format(
        lambda picked: [f"{picked.plain_name}.h5"],
        write_patch_features,
        "tiles with their embeddings, for TRIDENT and CLAM",
        pixels=False,
        labels=False,
        needs_tiles=True,
    ),
    "parquet": Format(
        lambda picked: [f"{picked.image}.parquet"],
        write_parquet,
        "tiles with their embeddings as a table",
        volumes=True,
        pixels=False,
        labels=False,
        needs_tiles=True,
        available=check_pyarrow,
    ),
    "geojson": Format(
        lambda picked: [f"{picked.image}.geojson"],
        write_outlines,
        "outlines of labels, for QuPath",
        pixels=False,
        tiles=True,
    ),
}


def fingerprint_of(to: str, picked: Picked) -> str:
    """Fingerprint of all that decides an image's files in a format."""
    names = [field.below for field in picked.labels]
    return digest(VERSION, to, picked.record.key, picked.job.fingerprints, names, picked.with_tiles)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image of a run as it is exported."""

    format: str
    picked: Picked
    folder: Path

    @property
    def targets(self) -> list[Path]:
        return [self.folder / name for name in FORMATS[self.format].names(self.picked)]

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.format, self.picked)

    def check(self) -> list[str]:
        """What its files hold and the run has not finished, by paths that begin with the image's id.

        Raises SettingsError (E_NO_LAYER) for a run without embeddings of tiles, and CorruptError for damaged results.
        """
        picked, form, missing = self.picked, FORMATS[self.format], list[str]()
        if form.pixels and not is_finished(picked.store):
            missing.append(picked.image)
        if form.needs_tiles or picked.with_tiles:
            picked.check_tiled()
            missing += [] if picked.has_tiles else [f"{picked.image}/layers/{EMBEDDING}"]
        elif not form.pixels and not picked.labels:
            missing.append(f"{picked.image}/labels")
        for path in (*([] if missing or not form.pixels else [picked.store]), *(field.path for field in picked.labels)):
            StoredImage.open(path)
        return missing

    @property
    def state(self) -> State:
        """What is there of its files. Raises SettingsError (E_FOREIGN) for a file that tile-engine did not write."""
        held = [file for target in self.targets for file in _files(target)]
        return export_state(self.folder, self.format, self.picked.image, lambda: self.fingerprint, held)

    def write(self) -> None:
        """Write its files. Each is whole or absent, and known by a receipt before it has its name."""
        staging = partial_path(self.folder / self.picked.image)
        try:
            staging.mkdir()
            with _room(staging):
                FORMATS[self.format].write(self.picked, staging)
                files = self._flushed(staging)
            forget(self.folder, self.format, self.picked.image)
            for target in self.targets:
                _remove_empty(target)
            remember(self.folder, self.format, self.picked.image, self.fingerprint, files)
            for target in self.targets:
                (staging / target.name).replace(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _flushed(self, staging: Path) -> list[Written]:
        """The staged files under their final names, once they are on the disk, as their receipt is going to be."""
        staged = _files(staging)
        few = len(staged) <= MANY_FILES
        if not few:
            os.sync()
        return [
            Written(self.folder / file.relative_to(staging), file.stat().st_size, crc32_of(file, flush=few))
            for file in staged
        ]


def warnings_of(to: str, images: Sequence[Picked]) -> list[str]:
    """What programs show otherwise than it is."""
    form, texts = FORMATS[to], list[str]()
    turned = [one.image for one in images if form.volumes and not one.record.placement.straight]
    off = [
        f"{one.image}/{label.below}" for one in images if form.pixels for label in one.labels if is_off_grid(one, label)
    ]
    if turned:
        texts.append(
            f"OME-Zarr 0.4 states no rotation, and these lie obliquely in the scanner: {first_of(turned)}. Programs show them "
            "along their own axes. Their affines stand in .zattrs under tile_engine; --to nifti has them."
        )
    if off:
        texts.append(
            f"the cells of some labels are no whole pixels of the image that is stored ({first_of(off)}): they keep a grid of "
            "their own, and programs that ignore its `translation` show them beside their place."
        )
    return texts


def sweep_staged(folder: Path, images: Collection[str]) -> None:
    """Remove what a killed export of these images left under temporary names."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if target_of(path.name) in images and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)


def _files(path: Path) -> list[Path]:
    """All files at a path or below it, links among them."""
    if path.is_dir() and not path.is_symlink():
        return sorted(file for file in path.rglob("*") if file.is_symlink() or not file.is_dir())
    return [path] if path.exists() or path.is_symlink() else []


def _remove_empty(path: Path) -> None:
    """Remove a folder whose files are gone; what is not empty stays, and its name is not taken."""
    if path.is_dir() and not path.is_symlink():
        for below in path.iterdir():
            _remove_empty(below)
        with suppress(OSError):
            path.rmdir()


@contextmanager
def _room(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS:
            raise
        raise UnfinishedError(
            f"no room left for {folder.parent}: {error.strerror}. Images that were exported are safe; free some space and run "
            "the same command again.",
            "E_DISK_FULL",
        ) from error
