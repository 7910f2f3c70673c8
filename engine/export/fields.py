"""Fields: the labels and layers of an image that can be exported, found in its store, whichever run wrote them.

```text
labels/clusters             a label map with names and colours
layers/confidence           values of the run
layers/harmonized/site-A    a folder of layers: versions of the image itself
```
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import CorruptError
from ...stores.files import crc32
from ...stores.image import ATTRIBUTES_KEY, StoredImage, attributes_of, is_finished, labels_listed
from ...stores.inside import is_id
from ...stores.regrid import is_same_grid
from ...stores.regular import NotAFileError, read_regular
from ..pipeline.record import ImageRecord, digest


@dataclass(frozen=True, slots=True)
class Field:
    """A label or layer of an image."""

    name: str
    """As in the store, below labels/ or layers/: clusters, harmonized/site-A."""
    path: Path
    is_label: bool
    """Whether it lies in labels/."""

    @property
    def is_finished(self) -> bool:
        return is_finished(self.path)

    @property
    def unit(self) -> str:
        """Unit of its values, as its own attributes state it."""
        return str(attributes_of(self.path)[ATTRIBUTES_KEY].get("unit", "arbitrary"))

    @property
    def below(self) -> str:
        """Path below the image's store."""
        return f"{'labels' if self.is_label else 'layers'}/{self.name}"

    def is_version(self, image: StoredImage, record: ImageRecord) -> bool:
        """Whether it is a version of the image itself: in a folder of layers, on the image's own grid."""
        return "/" in self.name and is_same_grid(image.frames[0], record.frame)

    def is_map(self, image: StoredImage, record: ImageRecord) -> bool:
        """Whether its values name regions: they are never averaged. Layers of whole numbers do, but not versions of a scan."""
        if self.is_label or (self.is_version(image, record) and record.labels):
            return True
        whole = np.dtype(image.dtype).kind in "iub"
        return whole and image.channels == 1 and not self.is_version(image, record)


def fields_of(store: Path) -> list[Field]:
    """Labels and layers of an image, finished or not, in order of their names."""
    labels = [Field(name, store / "labels" / name, True) for name in labels_listed(store) if is_id(name)]
    return sorted(labels, key=lambda field: field.name) + list(_layers(store / "layers", ""))


def _layers(folder: Path, prefix: str) -> Iterator[Field]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if not is_id(path.name) or path.is_symlink() or not path.is_dir():
            continue
        if (path / "zarr.json").exists() and ATTRIBUTES_KEY in attributes_of(path):
            yield Field(prefix + path.name, path, False)
        elif not prefix:
            yield from _layers(path, f"{path.name}/")


def content_of(field: Field, image: StoredImage) -> str:
    """Fingerprint of the bytes of a field's metadata and finest level, read file by file."""
    try:
        files = [(p.relative_to(field.path).as_posix(), crc32(read_regular(p))) for p in _files(field, image)]
    except NotAFileError as error:
        raise CorruptError(f"{error.filename} is not what was written there: {error.strerror}.") from error
    return digest(files)


def stamp_of(field: Field, image: StoredImage) -> tuple[tuple[str, int, int], ...]:
    """Size and time of the same files: another command that writes them meanwhile changes this."""
    return tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _files(field, image))


def _files(field: Field, image: StoredImage) -> list[Path]:
    level = image.levels[0].path
    return [field.path / "zarr.json", *sorted(path for path in level.rglob("*") if not path.is_dir())]
