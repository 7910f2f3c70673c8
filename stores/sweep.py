"""Sweep: removal of partial files that a killed writer left in OUT; only names that our writers give are removed.

```text
OUT/slides/a-1.ome.zarr/0/c/.0.0a1b2c3d.partial    goes: 0/c/0 is a file of ours
OUT/slides/.notes.0a1b2c3d.partial                 stays: tile-engine never writes slides/notes
OUT/mine/...                                       is not searched
```
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import SettingsError
from .files import target_of
from .ours import OWN_FOLDERS, OWN_PATHS, named
from .remote import ObjectPath

Ours = Callable[[str], bool]
"""Whether a path below OUT is one of ours."""
PROBE_NAMES = ("writable", "doctor", "preflight")
"""Files that are written to OUT to test whether that is possible, under temporary names only."""


def sweep(out: Path, own: str = OWN_PATHS) -> int:
    """Remove partial files of killed writers from OUT; returns their number. `own`: pattern of the paths that are ours.

    Raises SettingsError (E_FOREIGN) if a folder of ours is a symbolic link: a run would write and remove files behind it.
    """
    swept = 0
    for path in _leftovers(out, named(own), links=False):
        with suppress(FileNotFoundError):
            path.unlink()
            swept += 1
    return swept


def leftovers(out: Path, own: str = OWN_PATHS) -> int:
    """Number of files that a sweep would remove."""
    return sum(1 for _ in _leftovers(out, named(own), links=True))


def _leftovers(out: Path, ours: Ours, *, links: bool) -> Iterator[Path]:
    if isinstance(out, ObjectPath):  # a store holds no partial files
        return
    for below, folders, files in _walk(out):
        for name in () if links else folders:
            _check_link(out, below + name, ours)
        for name in files:
            target = target_of(name)
            if target and (ours(below + target) or (not below and target in PROBE_NAMES)):
                yield out / below / name


def _walk(out: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """(path below OUT, ending in a slash; folders in it; files in it) of OUT and of everything in our folders. Links are listed
    and not followed."""
    children = list(out.iterdir()) if out.is_dir() else []
    tops = [path for path in children if path.name in OWN_FOLDERS and path.is_dir()]
    yield "", [path.name for path in tops], [path.name for path in children if not path.is_dir()]
    for top in tops:
        for here, folders, files in os.walk(top) if not top.is_symlink() else ():
            yield f"{Path(here).relative_to(out).as_posix()}/", folders, files


def _check_link(out: Path, below: str, ours: Ours) -> None:
    path = out / below
    if path.is_symlink() and (below in OWN_FOLDERS or any(ours(f"{below}/{file}") for file in _SAMPLE_FILES)):
        raise SettingsError(
            f"{path} is a symbolic link to {path.readlink()}, and a run writes and removes files in a folder of this name: it "
            f"would do so where the link leads. Replace the link by a folder, or choose another --out (now {out}).",
            "E_FOREIGN",
        )


_SAMPLE_FILES = ("zarr.json", "0", "a.json", "a.png")
"""Sample names: in every folder of ours one of them is a name of ours."""
