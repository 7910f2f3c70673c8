"""static: the page of slides and their clusters as files, which a browser opens without a server: for a colleague.

```text
FOLDER/index.html, page/      the page
FOLDER/answers.js             what the server would answer
FOLDER/tiles/RUN-IMAGE-pN/    tiles of picture N: Z-Y-X.jpg
FOLDER/tiles/RUN-IMAGE-oN/    tiles of overlay N: Z-Y-X-K.png, K the level of the tree, 0 without one
```
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from ...stores.files import write_whole
from ...stores.remote import ObjectPath, absolute
from ..pipeline.documents import read_run
from ..pipeline.progress import Event, Report, silent
from ..show.encoded import jpeg
from .answers import Answer, Query
from .deep import TILE
from .overview import image_document, overview
from .routes import PAGE
from .tiles import overlay_tile
from .viewer import Viewer

LONGEST = 8192
"""Pixels along a picture, at most; of a larger one, a reduction is written, and the page says so."""


def write_page(viewer: Viewer, folder: Path, report: Report = silent) -> Path:
    """Write the page to an absent or empty folder; returns the file to open.

    It is written beside the folder and then renamed, so that the folder is whole; what an interruption left is removed by the
    next call. Raises SettingsError (E_OUT) for a folder that holds something or lies in the results or the input, and for runs
    without slides or blocks.
    """
    check_target(viewer, folder)
    if not all(viewer.job(run).modality.planar for run in range(len(viewer.runs))):
        noun = viewer.job(0).modality.plural
        raise SettingsError(f"--static is for slides and blocks of sections, and this run is on {noun}: leave it out.")
    partial = folder.with_name(f"{folder.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    _write(viewer, partial, report)
    if folder.exists():
        folder.rmdir()
    partial.rename(folder)
    return folder / "index.html"


def check_target(viewer: Viewer, folder: Path) -> None:
    """Raises SettingsError (E_OUT) for a file, for a folder that holds something, and for one in the results or the input."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "holds files already" if folder.is_dir() else "is a file"
        raise SettingsError(f"{folder} {what}: give --static a new folder.", "E_OUT")
    target = folder.resolve()
    if target.is_relative_to(viewer.out.resolve()):
        raise SettingsError(
            f"{folder} lies in the results, which hold only what runs write: choose another folder.", "E_OUT"
        )
    for run in range(len(viewer.runs)):
        source = absolute(read_run(viewer.job(run).folder).input)
        inside = not isinstance(source, ObjectPath) and source.is_dir() and target.is_relative_to(source.resolve())
        if inside:
            raise SettingsError(
                f"{folder} lies in the input folder {source}: the next run would take its tiles for images. Choose a folder "
                "beside it.",
                "E_OUT",
            )


def _write(viewer: Viewer, folder: Path, report: Report) -> None:
    shutil.copytree(PAGE, folder / "page")
    (folder / "page" / "index.html").unlink()
    answers: dict[str, Any] = {"runs": _to_send(overview(viewer))}
    images = [(run, image) for run in range(len(viewer.runs)) for image in range(len(viewer.job(run).slides))]
    for count, (run, image) in enumerate(images, 1):
        answers[f"runs/{run}/images/{image}"] = _image(viewer, folder / "tiles", run, image)
        report(Event("progress", "page", "page", count, len(images)))
    text = Answer.of(answers).content.decode().replace("<", "\\u003c")
    write_whole(folder / "answers.js", f'"use strict";\nwindow.TE = {{ answers: {text} }};\n'.encode())
    html = (PAGE / "index.html").read_text("utf-8").replace('"/page/', '"page/')
    first = '<script src="page/api.js"'
    write_whole(
        folder / "index.html", html.replace(first, f'<script src="answers.js" defer></script>\n{first}').encode()
    )


def _to_send(found: dict[str, Any]) -> dict[str, Any]:
    """The overview without what a colleague need not know: subjects, and names of folders."""
    if len(found["runs"]) == 1:
        found["runs"][0]["name"] = ""  # its folder's; of several, their stains
    for run in found["runs"]:
        for image in run["images"]:
            image["subject"] = ""
    return found | {"read_only": True, "folder": "tile-engine"}


def _image(viewer: Viewer, tiles: Path, run: int, image: int) -> dict[str, Any]:
    """Write the tiles of an image; returns its document, with the shapes that were written."""
    document: dict[str, Any] = json.loads(Answer.of(image_document(viewer, run, image)).content)
    lost = document.pop("lost")  # why may name folders of this machine
    notes = [f"{', '.join(lost)}: not here, the file could not be read."] if lost else []
    for picture in document["pictures"]:
        if picture["number"] >= 0:
            notes += _picture(viewer, tiles / f"{run}-{image}-p{picture['number']}", (run, image), picture)
    tree = viewer.tree(run)
    for overlay in document["overlays"]:
        levels = list(tree.levels) if tree and overlay["kind"] == "clusters" else [0]
        for z, y, x in _places(overlay["shape"]):
            for level in levels:
                values = {"z": z, "y": y, "x": x} | ({"k": level} if level else {})
                query = Query({name: str(value) for name, value in values.items()})
                path = tiles / f"{run}-{image}-o{overlay['number']}" / f"{z}-{y}-{x}-{level}.png"
                write_whole(path, overlay_tile(viewer, query, run, image, overlay["number"]).content)
    return document | {"missing": " ".join(notes)}


def _picture(viewer: Viewer, folder: Path, of: tuple[int, int], picture: dict[str, Any]) -> list[str]:
    """Write the tiles of a picture; of a large one, only of a reduction, which is noted."""
    deep = viewer.deep(*of, picture["number"])
    left_out = 0
    while max(deep.shape(left_out)) > LONGEST:
        left_out += 1
    picture["shape"] = list(deep.shape(left_out))
    if not all(map(deep.has_tiles, range(left_out, deep.reductions))):
        picture["number"] = -1  # overlays are shown alone
        return [f"{picture['name']}: not here, the file has no coarse level."]
    for z, y, x in _places(picture["shape"]):
        write_whole(folder / f"{z}-{y}-{x}.jpg", jpeg(deep.tile(z + left_out, y, x)))
    finest = f"{picture['name']}: shown at 1/{2**left_out} of its resolution."
    return [finest] if left_out else []


def _places(shape: list[int]) -> Iterator[tuple[int, int, int]]:
    """(reduction, row, column) of every tile of a picture of this shape."""
    z = 0
    while True:
        rows, columns = (-(-n // 2**z // TILE) for n in shape)
        yield from ((z, y, x) for y in range(rows) for x in range(columns))
        if rows == columns == 1:
            return
        z += 1
