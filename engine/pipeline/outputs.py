"""Outputs: the files that a step writes to OUT, as values. Ownership, redo, verify and the overwrite check use only these.

An output is a folder (or one file) and a pattern of the names in it that tile-engine owns; other files are foreign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...stores.folder import Folder
from ...stores.inside import ID_PATTERN
from ...stores.ours import ANY_COLUMN, ARRAY_KEYS, IMAGE_KEYS, anndata_keys, held, named, prune


@dataclass(frozen=True, slots=True)
class OwnedPath:
    """A folder and the pattern of tile-engine's names below it; the pattern is empty where the path is a file."""

    root: Path
    names: str = ""

    def held(self) -> Iterator[Path]:
        """The owned files that exist now."""
        return held(self.root, named(self.names))

    def clear(self, kept: Sequence[OwnedPath] = ()) -> None:
        """Remove the owned files, except those that one of `kept` covers too."""
        is_owned = named(self.names)
        prune(self.root, lambda name: is_owned(name) and not any(other.covers(self.root / name) for other in kept))

    def covers(self, path: Path) -> bool:
        """Whether a file is one of the owned files."""
        if not path.is_relative_to(self.root):
            return False
        below = path.relative_to(self.root).as_posix()
        return named(self.names)("" if below == "." else below)


@dataclass(frozen=True, slots=True)
class Output:
    """A result of a step. `path` is relative to OUT; with one result per image, it contains `{image}`, the image's id."""

    path: str
    names: str = ""
    """Pattern of the names below the path; empty where the path is a file."""
    timed: bool = False
    """Whether it contains durations, so that its bytes differ between runs."""
    rewritten: bool = False
    """Whether later steps rewrite it, so that this step's receipt cannot state its checksum."""

    @property
    def per_image(self) -> bool:
        return "{image}" in self.path

    def pattern(self, stores: str) -> str:
        """Pattern of its paths relative to OUT, for any image; `stores` is the folder of the images' stores."""
        path = "/".join(map(re.escape, self.path.format(image="\0", stores=stores).split("/")))
        path = path.replace(re.escape("\0"), ID_PATTERN)
        return f"{path}/({self.names})" if self.names else path

    def of(self, folder: Folder, image: str = "") -> OwnedPath:
        return OwnedPath(folder.out / self.path.format(image=image, stores=folder.images), self.names)


STORE = "{stores}/{image}.ome.zarr"


def levels() -> Output:
    """The levels of every image's pyramid, and the metadata of its store."""
    return Output(STORE, rf"zarr\.json|\d+/{ARRAY_KEYS}")


GROUPS = Output(STORE, r"(labels|layers)/zarr\.json", rewritten=True)
"""The groups that list an image's labels and layers."""


def label(name: str) -> Output:
    """An integer label of every image."""
    return Output(f"{STORE}/labels/{name}", IMAGE_KEYS)


def layer(name: str) -> Output:
    """A layer of every image."""
    return Output(f"{STORE}/layers/{name}", IMAGE_KEYS)


def samples(names: str) -> Output:
    """Arrays of samples.zarr whose names match a pattern."""
    return Output("samples.zarr", rf"({names})/{ARRAY_KEYS}")


def samples_metadata(name: str) -> Output:
    """Metadata of samples.zarr and of one array in it; a later step writes the array's values."""
    return Output("samples.zarr", rf"({name}/)?zarr\.json")


def model(name: str) -> Output:
    """Weights, record and training checkpoint of the models whose name matches a pattern."""
    return Output("models", rf"({name})(\.training)?\.(safetensors|json)")


def document(name: str) -> Output:
    """A JSON document, by its path without suffix: `models/validity`."""
    return Output(f"{name}.json")


def table(name: str, columns: str = ANY_COLUMN) -> Output:
    """An AnnData table whose columns have names that match a pattern."""
    return Output(f"tables/{name}.zarr", anndata_keys(columns))


INDEX = Output("index", r"(vectors|lists)\.npy|columns\.npz|index\.json")
"""The search index of a table. `added.npz`, the cases that users added, is not derived from the table and is kept."""


def file(path: str) -> Output:
    """One file, by its path below OUT."""
    return Output(path)


def pictures(*names: str) -> tuple[Output, ...]:
    """Pictures of the whole cohort."""
    return tuple(Output(f"maps/{name}.png") for name in names)


REPORT = Output("report.html", timed=True)
SUMMARY, MASK_SHEET = "summary.md", "tissue-{number}.png"
"""Files that a report has beside it: its head as text; and in maps/, pictures of the images' tissue masks."""


def list_name(images: str) -> str:
    """Name of the list of a run's images: slides.csv."""
    return f"{images}.csv"


def report_files(images: str) -> tuple[Output, ...]:
    """The report of a run on such images, with what lies beside it."""
    return REPORT, file(SUMMARY), file(list_name(images)), Output("maps", MASK_SHEET.format(number=r"\d{1,2}"))
