"""static: the page of images and what a run found in them as files, which a browser opens without a server: for a colleague.

```text
FOLDER/index.html, page/      the page
FOLDER/answers.js             what the server would answer
FOLDER/data/RUN-IMAGE.js      cells of all overlays of an image, which the page colours, and voxels of a volume: data.py
FOLDER/data/RUN-plane.js      cases in the plane
FOLDER/tiles/RUN-IMAGE-pN/    tiles of picture N of a slide: Z-Y-X.jpg
FOLDER/thumbs/RUN-IMAGE.jpg   small pictures of images that are points of the plane
FOLDER/means-RUN.png          mean volumes of groups
```

A browser reads no other files of a disk but scripts and pictures: numbers are in scripts.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import SettingsError, TileEngineError
from ...stores.files import partial_path, write_whole
from ...stores.remote import ObjectPath, absolute
from ..pipeline.documents import read_run
from ..pipeline.listing import first_of
from ..pipeline.progress import Event, Report, silent
from ..runtime.run_file import images_named
from ..show.encoded import jpeg
from .answers import Answer
from .cloud import Cloud, cloud_of
from .columns import USUAL, names_in_plane, names_of_list
from .data import (
    cells_script,
    colours_of_page,
    overlay_cells,
    packed,
    packed_overlays,
    picture_cells,
    picture_frame,
    plane_script,
    voxels_of,
)
from .films import has_films
from .means import means
from .overview import image_document, overview
from .plane import check_table, encoded
from .routes import PAGE
from .sent_names import sent_names, with_folders
from .size import check_page_room, left_out_of, places, size_of
from .slices import small_picture
from .viewed import extent
from .viewer import Viewer

POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file: data: blob:; base-uri 'none'; "
    "form-action 'none'"
)
"""What the page may load: its own files, on a disk (`file:`) and on a web server (`'self'`)."""


def write_page(viewer: Viewer, folder: Path, report: Report = silent, *, columns: Collection[str] = ()) -> Path:
    """Write the page to an absent or empty folder; returns the file to open. Its plane has these columns of the list, too.

    It is written beside the folder under a new name and then renamed, so that the folder is whole; where that fails or is
    interrupted, what was written is removed. Raises SettingsError (E_OUT) for a folder that holds something or lies in the
    results or the input, and for runs on films and columns that no list has; MachineError (E_NO_ROOM) where the disk has no
    room for it.
    """
    if any(has_films(viewer.job(run)) for run in range(len(viewer.runs))):
        raise SettingsError(
            "--static is for slides, blocks of sections and volumes, and this run is on films: leave it out."
        )
    check_target(viewer, folder)
    jobs = [viewer.job(run) for run in range(len(viewer.runs))]
    named = {name: frozenset[str]().union(*(names_in_plane(job, name) for job in jobs)) for name in columns}
    partial = partial_path(folder)  # never a name that somebody else may have given
    try:
        _write(viewer, partial, folder, report, named)
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


def check_columns(viewer: Viewer, clouds: Collection[Cloud], columns: Mapping[str, Collection[str]]) -> None:
    """Raises SettingsError for a column (-> what planes may call it) that is in no run's list and in no plane."""
    listed = list(dict.fromkeys(name for run in range(len(viewer.runs)) for name in names_of_list(viewer.job(run))))
    known = {*USUAL, *map(str.casefold, (*listed, *(name for cloud in clouds for name in cloud.known)))}
    for name, called in columns.items():
        if known.isdisjoint({name.casefold(), *called}):
            has = f"it has {', '.join(listed)}" if listed else "it has none"
            raise SettingsError(f"--columns {name}: no such column is in the list of the run: {has}.")


def _write(viewer: Viewer, folder: Path, target: Path, report: Report, columns: Mapping[str, Collection[str]]) -> None:
    """Write the page into `folder`, which will be called `target`; its planes have these columns (-> what planes may call
    them), too."""
    names = [sent_names(viewer.job(run).slides) for run in range(len(viewer.runs))]
    found = _to_send(overview(viewer), names)
    only = frozenset[str]().union(*columns.values())
    clouds = {run: _cloud(viewer, run, only) for run, one in enumerate(found["runs"]) if one["table"]}
    check_columns(viewer, clouds.values(), columns)
    images = [(run, image) for run in range(len(viewer.runs)) for image in range(len(viewer.job(run).slides))]
    documents = {}
    most = {run: cells_of_each(viewer, run) for run in range(len(viewer.runs))}
    for count, of in enumerate(images, 1):
        documents[of] = _document(viewer, of, names[of[0]][viewer.image(*of)], most[of[0]])
        report(Event("progress", "look at images", "page", count, len(images)))
    small = [of for of, document in documents.items() if found["runs"][of[0]]["whole"] and has_thumbnail(document)]
    points = sum(len(cloud.places) for cloud in clouds.values())
    size = size_of(viewer, documents, points=points, thumbnails=len(small))
    check_page_room(target, size)
    report(Event("note", f"{size} will be written to {target}", facts={"bytes": size.nbytes, "files": size.files}))
    for run, one in enumerate(found["runs"]):
        if run in clouds:
            script = plane_script(run, encoded(clouds[run], viewer.job(run).modality.axes))
            write_whole(folder / "data" / f"{run}-plane.js", script)
        if one["means"]:
            write_whole(folder / f"means-{run}.png", means(viewer, run).content)
    _tell_names(viewer, names, report)
    _tell_columns(clouds.values(), columns, report)
    shutil.copytree(PAGE, folder / "page")
    (folder / "page" / "index.html").unlink()
    for count, (of, document) in enumerate(documents.items(), 1):
        _image(viewer, folder, of, document, most[of[0]], is_point=of in small)
        report(Event("progress", "write images", "page", count, len(images)))
    answers: dict[str, Any] = {"runs": found, "colours": colours_of_page()}
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


def _to_send(found: dict[str, Any], names: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The overview without what a colleague need not know: subjects, and folders. `names` of the images of each run."""
    if len(found["runs"]) == 1:
        found["runs"][0]["name"] = ""  # its folder's; of several, their stains
    for run, called in zip(found["runs"], names, strict=True):
        for image, name in zip(run["images"], called.values(), strict=False):  # a run that cannot be shown has none
            image |= {"name": name, "subject": ""}
        run["similar"] = False
    return found | {"read_only": True, "folder": "tile-engine"}


def cells_of_each(viewer: Viewer, run: int) -> int:
    """Cells of each overlay of a run, and voxels of each picture of its volumes, at most."""
    job, images = viewer.job(run), range(len(viewer.job(run).slides))
    pictures = 0 if job.modality.planar else sum(len(viewer.pictures(run, image)) for image in images)
    return voxels_of(pictures + sum(len(viewer.overlays(run, image)) for image in images))


def has_thumbnail(document: dict[str, Any]) -> bool:
    """Whether a page has a small picture of an image: where its own pixels could be read."""
    return any(picture["number"] == 0 for picture in document["pictures"])


def _cloud(viewer: Viewer, run: int, columns: frozenset[str]) -> Cloud:
    return cloud_of(viewer.job(run), check_table(viewer, run), columns)


def _tell_names(viewer: Viewer, names: Sequence[Mapping[str, str]], report: Report) -> None:
    """Say which folders go along, as the images in them have one name."""
    runs = [with_folders(viewer.job(run).slides, called) for run, called in enumerate(names)]
    if sent := list(dict.fromkeys(name for run in runs for name in run)):
        text = f"folders go along in names that several images would have: {first_of(sent)}"
        report(Event("note", text, facts={"names_with_folders": sent}))


def _tell_columns(clouds: Collection[Cloud], named: Mapping[str, Collection[str]], report: Report) -> None:
    """Say what of the user's list goes along with the planes, and what does not."""
    sent = list(dict.fromkeys(column["name"] for cloud in clouds for column in cloud.columns))
    behind = sorted({name for cloud in clouds for name in cloud.behind})
    if sent:
        report(Event("note", f"columns that go along: {', '.join(sent)}", facts={"columns": sent}))
    if behind:
        text = f"columns that do not go along: {', '.join(behind)} (--columns names those that shall)"
        report(Event("note", text, facts={"columns_left_out": behind}))
    drawn = {name.casefold() for name in sent}
    if lost := sorted(name for name, called in named.items() if drawn.isdisjoint(called)):
        text = f"columns that colour nothing, of one value or another text in most rows, or too many: {', '.join(lost)}"
        report(Event("note", text, facts={"columns_not_drawn": lost}))


def _document(viewer: Viewer, of: tuple[int, int], name: str, most: int) -> dict[str, Any]:
    """The document of an image, called `name`, with the shapes of the pictures that are written, and notes of what is left
    out."""
    run, image = of
    document: dict[str, Any] = json.loads(Answer.of(image_document(viewer, run, image)).content) | {"name": name}
    lost = document.pop("lost")  # why may name folders of this machine
    notes = [f"{', '.join(lost)}: not here, the file could not be read."] if lost else []
    volumes = not viewer.job(run).modality.planar
    for overlay in document["overlays"]:
        frame = overlay_cells(viewer, (run, image), overlay["number"], most)[1]
        if list(frame.shape) != overlay["shape"]:
            sides = " × ".join(f"{side / 1000 if volumes else side:.3g}" for side in frame.spacing)
            notes.append(f"{overlay['name']}: shown with cells of {sides} {'mm' if volumes else 'µm'}.")
        overlay |= {"shape": list(frame.shape)} | extent(frame)
    for picture in document["pictures"]:
        if picture["number"] < 0:
            picture["name"] = name
            continue
        deep = viewer.deep(run, image, picture["number"])
        if volumes:
            frame = picture_frame(deep, most)[1]
            if frame.shape != deep.frame.shape:
                sides = " × ".join(f"{side / 1000:.3g}" for side in frame.spacing)
                notes.append(f"{picture['name']}: shown with voxels of {sides} mm.")
            picture |= {"shape": list(frame.shape)} | extent(frame)
            continue
        left_out = left_out_of(deep)
        picture["shape"] = list(deep.shape(left_out))
        if not all(map(deep.has_tiles, range(left_out, deep.reductions))):
            picture["number"] = -1  # overlays are shown alone
            notes.append(f"{picture['name']}: not here, the file has no coarse level.")
        elif left_out:
            notes.append(f"{picture['name']}: shown at 1/{2**left_out} of its resolution.")
    return document | {"missing": " ".join(notes)}


def _image(
    viewer: Viewer, folder: Path, of: tuple[int, int], document: dict[str, Any], most: int, *, is_point: bool
) -> None:
    """Write the tiles of an image's pictures, or the voxels of a volume's, and the cells of its overlays; of an image that is
    a point of the plane a small picture, too.

    A picture that turns out to be damaged is left out, and the document says so: the others are shown.
    """
    cells = packed_overlays(viewer, of, document, most)
    for picture in document["pictures"]:
        number, tiles = picture["number"], folder / "tiles" / f"{of[0]}-{of[1]}-p{picture['number']}"
        if number < 0:
            continue
        try:
            deep = viewer.deep(*of, number)
            if len(picture["shape"]) == 2:
                left_out = left_out_of(deep)
                for z, y, x in places(picture["shape"]):
                    write_whole(tiles / f"{z}-{y}-{x}.jpg", jpeg(deep.tile(z + left_out, y, x)))
            else:
                cells[f"p{number}"] = packed(picture_cells(deep, most))
            if is_point and number == 0:  # it may read another level
                write_whole(folder / "thumbs" / f"{of[0]}-{of[1]}.jpg", small_picture(viewer, *of))
        except TileEngineError:
            cells.pop(f"p{number}", None)
            shutil.rmtree(tiles, ignore_errors=True)
            picture["number"] = -1
            document["missing"] = f"{document['missing']} {picture['name']}: not here, the file is damaged.".strip()
    write_whole(folder / "data" / f"{of[0]}-{of[1]}.js", cells_script(of, cells))
