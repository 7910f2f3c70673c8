"""static: the page of slides and their clusters as files, which a browser opens without a server: for a colleague.

```text
FOLDER/index.html, page/      the page
FOLDER/answers.js             what the server would answer
FOLDER/data/RUN-IMAGE.js      cells of all overlays of an image, which the page colours: data.py
FOLDER/tiles/RUN-IMAGE-pN/    tiles of picture N: Z-Y-X.jpg
```

A browser reads no other files of a disk but scripts and pictures: numbers are in scripts.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from ...stores.files import partial_path, write_whole
from ...stores.remote import ObjectPath, absolute
from ..pipeline.documents import read_run
from ..pipeline.progress import Event, Report, silent
from ..runtime.run_file import images_named
from ..show.encoded import jpeg
from .answers import Answer
from .data import cells_script, colours_of_page
from .overview import image_document, overview
from .routes import PAGE
from .size import check_page_room, left_out_of, places, size_of
from .viewer import Viewer

POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file: data: blob:; base-uri 'none'; "
    "form-action 'none'"
)
"""What the page may load: its own files, on a disk (`file:`) and on a web server (`'self'`)."""


def write_page(viewer: Viewer, folder: Path, report: Report = silent) -> Path:
    """Write the page to an absent or empty folder; returns the file to open.

    It is written beside the folder under a new name and then renamed, so that the folder is whole; where that fails or is
    interrupted, what was written is removed. Raises SettingsError (E_OUT) for a folder that holds something or lies in the
    results or the input, and for runs without slides or blocks; MachineError (E_NO_ROOM) where the disk has no room for it.
    """
    if not all(viewer.job(run).modality.planar for run in range(len(viewer.runs))):
        noun = viewer.job(0).modality.plural
        raise SettingsError(f"--static is for slides and blocks of sections, and this run is on {noun}: leave it out.")
    check_target(viewer, folder)
    partial = partial_path(folder)  # never a name that somebody else may have given
    try:
        _write(viewer, partial, report)
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
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
        named = images_named(viewer.job(run).folder)
        if named and all(Path(one).is_file() for one in named):  # no run looks into the folder that holds them
            continue
        source = absolute(read_run(viewer.job(run).folder).input)
        inside = not isinstance(source, ObjectPath) and source.is_dir() and target.is_relative_to(source.resolve())
        if inside:
            raise SettingsError(
                f"{folder} lies in the input folder {source}: the next run would take its tiles for images. Choose a folder "
                "beside it.",
                "E_OUT",
            )


def _write(viewer: Viewer, folder: Path, report: Report) -> None:
    images = [(run, image) for run in range(len(viewer.runs)) for image in range(len(viewer.job(run).slides))]
    documents = {}
    for count, of in enumerate(images, 1):
        documents[of] = _document(viewer, *of)
        report(Event("progress", "look at slides", "page", count, len(images)))
    size = size_of(viewer, documents)
    check_page_room(folder, size)
    report(
        Event("note", f"{size} will be written to {folder.parent}", facts={"bytes": size.nbytes, "files": size.files})
    )
    shutil.copytree(PAGE, folder / "page")
    (folder / "page" / "index.html").unlink()
    for count, (of, document) in enumerate(documents.items(), 1):
        _image(viewer, folder, of, document)
        report(Event("progress", "write slides", "page", count, len(images)))
    answers: dict[str, Any] = {"runs": _to_send(overview(viewer)), "colours": colours_of_page()}
    answers |= {f"runs/{run}/images/{image}": document for (run, image), document in documents.items()}
    text = Answer.of(answers).content.decode().replace("<", "\\u003c")
    write_whole(folder / "answers.js", f'"use strict";\nwindow.TE = {{ answers: {text} }};\n'.encode())
    write_whole(folder / "index.html", _html().encode())


def _html() -> str:
    """The page of a disk: files by relative addresses, the answers before the scripts that read them, and a policy."""
    html = (PAGE / "index.html").read_text("utf-8").replace('"/page/', '"page/')
    first, charset = '<script src="page/api.js"', '<meta charset="utf-8">'
    html = html.replace(first, f'<script src="answers.js" defer></script>\n{first}')
    return html.replace(charset, f'{charset}\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">')


def _to_send(found: dict[str, Any]) -> dict[str, Any]:
    """The overview without what a colleague need not know: subjects, and names of folders."""
    if len(found["runs"]) == 1:
        found["runs"][0]["name"] = ""  # its folder's; of several, their stains
    for run in found["runs"]:
        for image in run["images"]:
            image["subject"] = ""
    return found | {"read_only": True, "folder": "tile-engine"}


def _document(viewer: Viewer, run: int, image: int) -> dict[str, Any]:
    """The document of an image, with the shapes of the pictures that are written, and notes of what is left out."""
    document: dict[str, Any] = json.loads(Answer.of(image_document(viewer, run, image)).content)
    lost = document.pop("lost")  # why may name folders of this machine
    notes = [f"{', '.join(lost)}: not here, the file could not be read."] if lost else []
    for picture in document["pictures"]:
        if picture["number"] < 0:
            continue
        deep = viewer.deep(run, image, picture["number"])
        left_out = left_out_of(deep)
        picture["shape"] = list(deep.shape(left_out))
        if not all(map(deep.has_tiles, range(left_out, deep.reductions))):
            picture["number"] = -1  # overlays are shown alone
            notes.append(f"{picture['name']}: not here, the file has no coarse level.")
        elif left_out:
            notes.append(f"{picture['name']}: shown at 1/{2**left_out} of its resolution.")
    return document | {"missing": " ".join(notes)}


def _image(viewer: Viewer, folder: Path, of: tuple[int, int], document: dict[str, Any]) -> None:
    """Write the tiles of an image's pictures, and the cells of its overlays."""
    name = f"{of[0]}-{of[1]}"
    for picture in document["pictures"]:
        if picture["number"] >= 0:
            deep = viewer.deep(*of, picture["number"])
            left_out = left_out_of(deep)
            for z, y, x in places(picture["shape"]):
                path = folder / "tiles" / f"{name}-p{picture['number']}" / f"{z}-{y}-{x}.jpg"
                write_whole(path, jpeg(deep.tile(z + left_out, y, x)))
    write_whole(folder / "data" / f"{name}.js", cells_script(viewer, of, document["overlays"]))
