"""Folder: paths of all results in OUT. Each name is defined here only."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CorruptError, SettingsError
from .files import partial_path, read_json, write_json
from .inside import is_id
from .remote import ObjectPath


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder OUT of a run and the paths in it."""

    out: Path
    images: str = "slides"
    """Name of the run's modality: slides; also the folder of its stores."""

    def __post_init__(self) -> None:
        if not is_id(self.images):
            raise CorruptError(
                f"run.json of {self.out} says that the run is on {self.images!r}, which is no kind of images: the file has "
                "changed since it was written. Nothing was touched; begin the run anew in another folder."
            )

    def slide(self, slide: str) -> Path:
        """The store of a slide or volume. Raises CorruptError for an invalid id."""
        return self.out / self.images / f"{self._id(slide)}.ome.zarr"

    def layer(self, slide: str, name: str) -> Path:
        """A field over the image."""
        return self.slide(slide) / "layers" / name

    def label(self, slide: str, name: str) -> Path:
        """An integer label of the image."""
        return self.slide(slide) / "labels" / name

    def transform(self, block: str, section: str) -> Path:
        """The warp from a block's reference to one of its sections."""
        return self.out / "transforms" / self._id(block) / f"{self._id(section)}.zarr"

    def overview(self, block: str, section: str) -> Path:
        """The coarse picture of a section that its registration works on."""
        return self.out / "overviews" / self._id(block) / f"{self._id(section)}.ome.zarr"

    def model(self, name: str) -> Path:
        return self.out / "models" / f"{name}.safetensors"

    def map(self, slide: str, kind: str = "") -> Path:
        """Picture of a slide: the map of clusters, or of `kind` "density"."""
        return self.out / "maps" / kind / f"{self._id(slide)}.png"

    @property
    def samples(self) -> Path:
        return self.out / "samples.zarr"

    @property
    def films(self) -> Path:
        """The store of all films."""
        return self.out / "films.zarr"

    @property
    def table(self) -> Path:
        return self.out / "tables" / "tiles.zarr"

    @property
    def report(self) -> Path:
        return self.out / "report.html"

    def read(self, name: str) -> dict[str, Any]:
        """A JSON document of the run ("run", "slides", "rejected", "models/validity" ...); {} if it does not exist.

        Raises CorruptError for a file that is not a JSON object, and for invalid ids of images in it.
        """
        path = self.out / f"{name}.json"
        try:
            value = read_json(path)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        if not isinstance(value, dict):
            raise CorruptError(f"{path} is not the document that was written there: it holds no JSON object.")
        for key, one in value.items() if name in DOCUMENTS_BY_ID else ():
            self._id(key)
            if isinstance(one, dict) and one.get("id", key) != key:
                raise CorruptError(
                    f"{path} is not what was written there: image {key!r} has the id {one['id']!r} in it."
                )
        return value

    def _id(self, image: str) -> str:
        """The id itself. Raises CorruptError for an id that `slide_id` never makes: its files could lie outside of OUT."""
        if not is_id(image):
            raise CorruptError(
                f"{image!r} is no id of an image, and a document of {self.out} gives it: files outside of that folder could be "
                "written over or removed. Nothing was touched; begin the run anew in another folder."
            )
        return image

    def write(self, name: str, value: dict[str, Any]) -> None:
        write_json(self.out / f"{name}.json", value)

    def claim(self, mode: int | None = None) -> None:
        """Create OUT, with these access rights. Raises SettingsError (E_OUT) if it cannot be written."""
        try:
            if mode is not None and not self.out.exists():
                self.out.mkdir(parents=True, mode=0o700)  # never open to others for a moment
                self.out.chmod(mode)
            self.out.mkdir(parents=True, exist_ok=True)
            probe = partial_path(self.out / "writable")
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise self._not_writable(error) from error

    def check_claim(self) -> None:
        """Raise what `claim` would raise, and leave nothing: a folder that exists is asked for a file without a name.

        Whether an object store can be written is not asked.
        """
        place: Path = self.out
        if isinstance(place, ObjectPath):
            return
        try:
            while not place.exists():
                place = place.parent
            os.close(os.open(place, os.O_TMPFILE | os.O_WRONLY, 0o600))
        except OSError as error:
            if error.errno not in NO_NAMELESS_FILES or not _takes_folders(place):
                raise self._not_writable(error) from error

    def _not_writable(self, error: OSError) -> SettingsError:
        return SettingsError(
            f"{self.out} cannot be written ({error.strerror}): nothing was begun. Choose another folder with --out.",
            "E_OUT",
        )


def _takes_folders(place: Path) -> bool:
    """Whether a folder can be made in `place`; it is removed at once."""
    probe = partial_path(place / "writable")
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


DOCUMENTS_BY_ID = ("slides", "rejected", "quarantined")
"""Documents whose keys are ids of images."""
NO_NAMELESS_FILES = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL)
"""Errors of file systems that have no files without a name."""
