"""harmonized: versions of volumes that look as if taken at another site, found in the folder of the run that made them.

```text
FOLDER/run.json, slides.json                           which volumes the run had
FOLDER/volumes/<id>.ome.zarr/layers/harmonized/<to>    a volume as at site <to>: same frame, same type
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import CorruptError, SettingsError, SlideError
from ....stores.folder import Folder
from ....stores.frame import Array
from ....stores.image import StoredImage
from ....stores.regrid import is_same_grid
from ....stores.remote import to_path
from ...pipeline.image_documents import read_images
from ...pipeline.job import Job
from ...pipeline.listing import first_of
from ...pipeline.record import ImageRecord
from ..version_names import site_folder

LAYER = "harmonized"
"""Folder of layers that holds the versions of a volume, by site."""


@dataclass(frozen=True, slots=True)
class Version:
    """The harmonized version of a volume."""

    path: Path
    original: Path | None
    """Store of the volume that it was made of, where it was found by its name alone: the values must be the same."""


@dataclass(frozen=True, slots=True)
class Harmonized:
    """The volumes of a run that made harmonized versions."""

    folder: Folder
    to: str
    """The site that versions look like, as the name of their layer."""
    by_content: Mapping[tuple[str, str], str]
    """(fingerprint of the file, volume in it) -> id."""
    by_name: Mapping[tuple[str, str], str]

    def of(self, record: ImageRecord) -> Version | None:
        """The version of a volume: by the content of its file, else by its name."""
        same = self.by_content.get((record.fingerprint, record.subimage))
        image = same or self.by_name.get((record.name, record.subimage))
        path = self.folder.layer(image, LAYER) / self.to if image else None
        if not image or not path or not (path / "zarr.json").exists():
            return None
        return Version(path, None if same else self.folder.slide(image))

    def is_of_site(self, record: ImageRecord) -> bool:
        """Whether a volume is of this site already, so that its original takes part."""
        return bool(record.site) and site_folder(record.site) == self.to


def check_harmonized(job: Job[Any]) -> None:
    """Raises SettingsError (E_HARMONIZED), before any work, unless each volume has a version or is of the site already.

    A folder that is gone is no fault where the run recorded its state: its volumes are prepared, or are missed by name.
    """
    folder, *state = job.settings.harmonized or ("",)
    if not folder or (any(state) and not to_path(folder).exists()):
        return
    found = _harmonized(job)
    missing = []
    for record in job.slides.values():
        version = found.of(record)
        if version:
            _check_frame(record, version.path)
        elif not found.is_of_site(record):
            missing.append(record.name)
    if missing:
        raise SettingsError(
            f"{folder} holds no version harmonized to {found.to} of {first_of(missing)}, and these volumes are not of that "
            "site: they would be compared with harmonized ones as they are. Harmonize them too, or leave them out.",
            "E_HARMONIZED",
        )


def values_of(job: Job[Any], image: str) -> Array:
    """The values of a volume that networks see (z, y, x): those of its harmonized version where the settings name a run.

    Raises SlideError (E_VERSION) for a version that is damaged, or that was made of another volume of the same name.
    """
    record = job.slides[image]
    stored: Array = job.stored(image).read(record.frame.box)[0]
    if not job.settings.harmonized_run:
        return stored
    try:
        version = _harmonized(job).of(record)
        if version is None:
            return stored
        if version.original and not np.array_equal(
            StoredImage.open(version.original).read(record.frame.box)[0], stored
        ):
            raise SlideError(
                f"{record.name}: {job.settings.harmonized_run} holds a volume of this name with other values: its "
                "harmonized version is of another scan. Harmonize these volumes.",
                "E_VERSION",
            )
        return np.asarray(StoredImage.open(version.path).read(record.frame.box)[0])
    except (CorruptError, SettingsError) as error:
        raise SlideError(
            f"{record.name}: its harmonized version cannot be read: {error.message}", "E_VERSION"
        ) from error


def notices_of(job: Job[Any]) -> list[str]:
    """What a user should know of the versions: which volumes keep their original, and which were found by name."""
    if not job.settings.harmonized_run:
        return []
    found = _harmonized(job)
    versions = {record.name: found.of(record) for record in job.slides.values()}
    kept = [name for name, version in versions.items() if version is None]
    named = [name for name, version in versions.items() if version and version.original]
    notices = [f"{len(versions) - len(kept)} volumes are read as harmonized to {found.to}"]
    if kept:
        notices.append(f"{len(kept)} are of {found.to} and keep their original: {first_of(kept)}")
    if named:
        notices.append(f"{len(named)} were found by name, and their values are compared: {first_of(named)}")
    return notices


def _site(folder: Folder, sources: Mapping[str, ImageRecord]) -> str:
    """The one site that versions in a folder look like."""
    names = {
        path.name
        for image in sources
        if (layers := folder.layer(image, LAYER)).is_dir()
        for path in layers.iterdir()
        if (path / "zarr.json").exists()
    }
    if len(names) != 1:
        found = f"versions of {len(names)} sites ({', '.join(sorted(names))})" if names else "no harmonized volume"
        raise SettingsError(
            f"{folder.out} holds {found}, and those of one site are needed: name the folder of a finished run that "
            "harmonized these volumes to one site.",
            "E_HARMONIZED",
        )
    return names.pop()


def _check_frame(record: ImageRecord, path: Path) -> None:
    frame = StoredImage.open(path).frames[0]
    if not is_same_grid(frame, record.frame):
        raise SettingsError(
            f"{record.name} has {record.frame.text}, and its harmonized version {path} has {frame.text}: it is of another "
            "volume. Harmonize these volumes.",
            "E_HARMONIZED",
        )


def _harmonized(job: Job[Any]) -> Harmonized:
    out = to_path(job.settings.harmonized_run)
    try:
        return _read(out, job.folder.images, (out / "slides.json").stat().st_mtime_ns)
    except FileNotFoundError as error:
        raise SettingsError(
            f"--harmonized: {out} holds no run on volumes. Give the folder of a finished run that harmonized these volumes.",
            "E_HARMONIZED",
        ) from error


@lru_cache(maxsize=2)
def _read(out: Path, images: str, stamp: int) -> Harmonized:
    """The run in a folder, read anew where its list of volumes changes."""
    folder = Folder(out, images)
    sources = read_images(folder)
    by_content = {(s.fingerprint, s.subimage): i for i, s in sources.items() if s.fingerprint}
    return Harmonized(folder, _site(folder, sources), by_content, {(s.name, s.subimage): i for i, s in sources.items()})
