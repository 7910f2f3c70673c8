"""export: writes results of a run for other programs; the one function behind the command and `Run.export`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

from ...errors import SettingsError
from ...stores.folder import Folder
from ...stores.lock import Lock
from ...stores.remote import ObjectPath, absolute, to_path
from ..pipeline.documents import read_run
from ..pipeline.job import Job
from ..pipeline.listing import first_of
from ..pipeline.progress import Event, Report
from ..pipeline.settings import RunSettings
from ..runtime.load import load
from ..runtime.options import RunOptions
from ..steps.settings import PatchSettings
from .chosen import fields_of_run, labels_of_run
from .fields import Field
from .formats import FORMATS as OF_IMAGES
from .formats import ImageFile, sweep_staged, warnings_of
from .nifti import NIFTI, fingerprint_of, nifti_files, write_file
from .owned import State, check_no_link, export_state, sweep
from .picked import Picked, columns_listed
from .plain_names import plain_names
from .sidecars import DESCRIPTION, IGNORED, check_dataset, write_dataset

FORMATS = (NIFTI, *OF_IMAGES)
GRIDS = ("auto", "source", "layer")
TILES = "tiles"
"""Among the layers: the tiles themselves, of formats that leave them out otherwise."""


@dataclass(frozen=True, slots=True)
class ExportChoices:
    """What is exported, and where to."""

    to: str = ""
    """A format; where none is named, nifti for volumes, and others are refused with those that hold them."""
    folder: str | Path | None = None
    """Folder of the files; by default OUT/FORMAT."""
    layers: tuple[str, ...] = ()
    """Names of labels and layers; by default all. Formats other than nifti take labels, h5 none, geojson also `tiles`."""
    grid: str = "auto"
    """Of nifti: auto, source or layer: the source's grid, or that which the label or layer is stored on (of labels the
    source's, unless the run has `label_grid="cells"`); auto is the source's for layers of one channel."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export."""

    out: str
    """Folder of the run."""
    folder: str
    images: int
    written: tuple[str, ...]
    """Files or stores that were written, by their paths below the folder. A NIfTI has its JSON and its table beside it."""
    kept: tuple[str, ...]
    """Those that were there already, of the same results."""
    unfinished: tuple[str, ...] = field(default=())
    """Labels and layers that the run has not finished, as ID/layers/NAME, and images, as ID: they were left out."""


def export(out: str | Path, choices: ExportChoices | None = None, *, options: RunOptions | None = None) -> Exported:
    """Write all images of a run for other programs; `options.redo` writes over an earlier export of other results.

    Everything is checked before the first file is written. The same call goes on with an interrupted export. Raises
    SettingsError for images that the format does not hold (E_EXPORT), for layers that the run does not have (E_NO_LAYER), for
    files that are not tile-engine's (E_FOREIGN) or are of other results (E_OTHER_SETTINGS).
    """
    choices, options = choices or ExportChoices(), options or RunOptions()
    if choices.to:
        _check(choices)
    home = absolute(out)
    job = load(home)
    if not choices.to:
        choices = replace(choices, to=_usual_format(job))
    _check(choices)
    _check_kind(job, choices.to)
    run = read_run(job.folder)
    if missing := [step.title for step in job.pipeline.steps.values() if not run.is_complete([step.name])]:
        text = f"the run has not done {first_of(missing)} yet, so what these steps write is not exported"
        options.report(Event("warning", text))
    if choices.to != NIFTI:
        return _export_images(job, choices, options)
    folder = _folder(job, choices, run.input)
    fields, unfinished = fields_of_run(job, choices.layers)
    files = nifti_files(job, fields, folder, choices.grid)
    Folder(folder).claim(None if isinstance(home, ObjectPath) else home.stat().st_mode & 0o777)  # as private as the run
    with Lock(folder, force=options.force_unlock):
        check_dataset(folder)
        for name in (DESCRIPTION, IGNORED):
            check_no_link(folder, folder / name)
        states = {
            one.unit: export_state(folder, NIFTI, one.unit, partial(fingerprint_of, one), one.targets) for one in files
        }
        old = [one.path.name for one in files if states[one.unit] == "old"]
        _check_old(folder, old, redo=options.redo)
        sweep([target for one in files for target in one.targets])
        write_dataset(folder, run)
        pieces = [
            ([one.path.relative_to(folder).as_posix()], states[one.unit], partial(write_file, folder, one, run))
            for one in files
        ]
        written, kept = _write_all(pieces, options.report)
    return Exported(str(home), str(folder), sum(map(bool, fields.values())), written, kept, unfinished)


def _export_images(job: Job[RunSettings], choices: ExportChoices, options: RunOptions) -> Exported:
    """Write every image of a run in a format that holds an image with its labels, or its tiles."""
    folder = _folder(job, choices, read_run(job.folder).input)
    files, unfinished = _image_files(job, choices, folder)
    for text in warnings_of(choices.to, [file.picked for file in files]):
        options.report(Event("warning", text))
    Folder(folder).claim(None if isinstance(job.folder.out, ObjectPath) else job.folder.out.stat().st_mode & 0o777)
    with Lock(folder, force=options.force_unlock):
        states = {file.picked.image: file.state for file in files}
        _check_old(folder, [f.targets[0].name for f in files if states[f.picked.image] == "old"], redo=options.redo)
        sweep_staged(folder, states)
        pieces = [([target.name for target in f.targets], states[f.picked.image], f.write) for f in files]
        written, kept = _write_all(pieces, options.report)
    return Exported(str(job.folder.out), str(folder), len(files), written, kept, unfinished)


def _write_all(
    pieces: Sequence[tuple[Sequence[str], State, Callable[[], object]]], report: Report
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write (names of files, what is there of them, how they are written); returns the names that were written, and kept."""
    written, kept = list[str](), list[str]()
    for count, (names, state, write) in enumerate(pieces, 1):
        if state != "same":
            write()
        (kept if state == "same" else written).extend(names)
        report(Event("progress", "export", "export", count, len(pieces)))
    return tuple(written), tuple(kept)


def _image_files(
    job: Job[RunSettings], choices: ExportChoices, folder: Path
) -> tuple[list[ImageFile], tuple[str, ...]]:
    """The images that can be exported, and what is left out as the run has not finished it.

    Raises SettingsError (E_NO_LAYER) where that is all.
    """
    form = OF_IMAGES[choices.to]
    with_tiles = form.tiles and TILES in choices.layers
    names = [name for name in choices.layers if not (with_tiles and name == TILES)]
    labels, left_out = dict[str, list[Field]](), list[str]()
    if form.labels and (names or not choices.layers):
        labels, left_out = labels_of_run(job, names)
    files = list[ImageFile]()
    # once for all images
    listed, plain = cache(partial(columns_listed, job)), cache(partial(plain_names, job.opened))
    for image in job.slides:
        picked = Picked(job, image, tuple(labels.get(image, ())), with_tiles, listed, plain)
        file = ImageFile(choices.to, picked, folder)
        if missing := file.check():
            left_out += [image, *(one for one in missing if one != image)]
        else:
            files.append(file)
    if not files:
        raise SettingsError(
            f"{job.folder.out} has nothing to export as {choices.to}: it has not finished {first_of(left_out)}. Finish the run "
            "with the same command.",
            "E_NO_LAYER",
        )
    return files, tuple(dict.fromkeys(left_out))


def formats_of(job: Job[RunSettings]) -> dict[str, str]:
    """The formats that hold the images of a run, and what each is; none for films."""
    if job.folder.images == "films":
        return {}
    tiled, planar = isinstance(job.settings, PatchSettings), job.modality.planar
    volumes = {} if planar else {NIFTI: "labels and layers on the grids of the volumes' files"}
    fitting = {n: f for n, f in OF_IMAGES.items() if (planar or f.volumes) and (tiled or not f.needs_tiles)}
    return volumes | {name: form.what for name, form in fitting.items()}


def _usual_format(job: Job[RunSettings]) -> str:
    """The format of an export that names none. Raises SettingsError (E_EXPORT) where it has to be named."""
    if NIFTI in formats_of(job):
        return NIFTI
    _check_films(job)
    raise SettingsError(f"say with --to what {job.folder.out} is to be exported as:{_listed(job)}", "E_EXPORT")


def _check_kind(job: Job[RunSettings], to: str) -> None:
    """Raises SettingsError (E_EXPORT) for images that a format does not hold."""
    _check_films(job)
    if to == NIFTI if job.modality.planar else to != NIFTI and not OF_IMAGES[to].volumes:
        images = job.modality.plural
        raise SettingsError(
            f"{job.folder.out} cannot be exported as {to}, which holds no {images}. It can be exported, with --to, as:"
            f"{_listed(job)}",
            "E_EXPORT",
        )


def _check_films(job: Job[RunSettings]) -> None:
    if job.folder.images == "films":
        raise SettingsError(
            f"{job.folder.out} is a run on films, which lie in one store, films.zarr: xarray.open_zarr opens it as it is.",
            "E_EXPORT",
        )


def _listed(job: Job[RunSettings]) -> str:
    """The formats of a run, a line each, and what is there without an export."""
    formats = formats_of(job)
    width = max(map(len, formats))
    lines = [f"\n  {name:<{width}}  {what}" for name, what in formats.items()]
    there = f"{job.folder.images}/ID.ome.zarr, an OME-Zarr 0.5 with labels and layers, for napari and others"
    there += (
        ", and maps/ID.geojson, which QuPath opens" if "geojson" in formats and "map" in job.pipeline.stages else ""
    )
    return "".join(lines) + f"\n  There is already, without an export: {there}."


def _check(choices: ExportChoices) -> None:
    for name, value, known in (("--to", choices.to, FORMATS), ("--grid", choices.grid, GRIDS)):
        if value not in known:
            raise SettingsError(f"{name} {value!r} is not known: use {', '.join(known)}.")
    if choices.to != NIFTI:
        OF_IMAGES[choices.to].available()
    if choices.to != NIFTI and choices.grid != GRIDS[0]:
        raise SettingsError(
            f"--grid {choices.grid} is for --to nifti: files of {choices.to} have the grid of the image."
        )
    if choices.to != NIFTI and choices.layers and not OF_IMAGES[choices.to].labels:
        raise SettingsError(
            f"--layer {choices.layers[0]}: files of {choices.to} hold tiles and their embeddings, and neither labels nor "
            "layers. Leave --layer out."
        )


def _folder(job: Job[RunSettings], choices: ExportChoices, source: str) -> Path:
    """The folder to write to. Raises SettingsError (E_OUT) for an object store, and inside the images of the run."""
    folder = absolute(choices.folder) if choices.folder else job.folder.out / choices.to
    if not choices.folder:
        check_no_link(job.folder.out, folder)  # a folder of results may come from anybody
    if isinstance(folder, ObjectPath):
        raise SettingsError(
            f"{folder} lies in an object store, and an export is written part by part, to a disk. Name a folder on a disk "
            "with --out, and copy it from there.",
            "E_OUT",
        )
    images, target = absolute(source), folder.resolve()
    # a run refuses an OUT inside an input folder: where OUT lies there, the images came from a list, which names no export
    listed = not isinstance(images, ObjectPath) and job.folder.out.resolve().is_relative_to(images.resolve())
    if (
        not isinstance(images, ObjectPath)
        and images.is_dir()
        and target.is_relative_to(images.resolve())
        and not listed
    ):
        below = target.relative_to(images.resolve()).parts
        if not below or below[0] != "derivatives":
            raise SettingsError(
                f"{folder} lies inside the input folder {images}: the next run would take the exported files for images. "
                f"Choose an --out beside it, or {images / 'derivatives' / 'tile-engine'}.",
                "E_OUT",
            )
    files = [path for record in job.slides.values() if not isinstance(path := to_path(record.path), ObjectPath)]
    if held := next((path for path in files if path.resolve().is_relative_to(target)), None):
        raise SettingsError(
            f"{folder} holds images of the run ({held}): the next run would take the exported files for images. Choose another "
            "--out.",
            "E_OUT",
        )
    return folder


def _check_old(folder: Path, old: list[str], *, redo: bool) -> None:
    if old and not redo:
        more = f" and {len(old) - 1} more" if len(old) > 1 else ""
        raise SettingsError(
            f"{folder} holds an export of other results ({old[0]}{more}): the run has changed since, or it is another run's. "
            "Nothing was written. Write over it with --redo, or choose another folder with --out.",
            "E_OTHER_SETTINGS",
        )
