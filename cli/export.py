"""export: the command that writes results of a run in the formats of other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..engine.pipeline.option import WRITE
from .from_settings import AsJson, Given, OutArgument, Quiet
from .say import say

if TYPE_CHECKING:
    from ..engine.export.export import Exported

To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="FORMAT",
        help="Format of the files: nifti (volumes), ome-zarr-0.4, ome-tiff, spatialdata, h5 (TRIDENT, CLAM), parquet (tables) "
        "or geojson (QuPath). [default: nifti for volumes; for others the formats that hold them are listed]",
        rich_help_panel=WRITE,
    ),
]
ExportOut = Annotated[
    str | None,
    typer.Option(
        "--out", metavar="FOLDER", help="Folder for the exported files. [default: OUT/FORMAT]", rich_help_panel=WRITE
    ),
]
Grid = Annotated[
    str,
    typer.Option(
        "--grid",
        metavar="auto|source|layer",
        help="Grid of exported NIfTI, along the axes of the source's file: that of the source volume, or that of the stored "
        "layer (labels lie on the source's, unless the run has --label-grid cells); auto is the source's, except for coarser "
        "layers of several channels, such as embeddings.",
        rich_help_panel=WRITE,
    ),
]
Layer = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        metavar="NAME",
        help="A label, or of nifti also a layer, to export, repeatable; of geojson also tiles. [default: all]",
        rich_help_panel=WRITE,
    ),
]
NGFF = "--ngff"
Ngff = Annotated[
    str,
    typer.Option(
        NGFF,
        metavar="VERSION",
        help="Version of OME-Zarr: 0.5 as runs store it, or 0.4 too, in OUT/ome-zarr-0.4, for programs that read it alone.",
        rich_help_panel=WRITE,
    ),
]


def export(
    out: OutArgument,
    run: Given,
    to: To = None,
    folder: ExportOut = None,
    grid: Grid = "auto",
    layer: Layer = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Write the images, labels and tiles of a run in the formats of other programs.

    nifti: labels and layers of volumes, named as BIDS names derivatives, where the volumes lie. Files of an earlier export that
    are the same are kept; those of other results need --redo.

    Example: `tile-engine export results/ --to nifti --layer clusters`"""
    from ..engine.export.export import ExportChoices
    from ..engine.export.export import export as engine
    from ..engine.runtime.options import RunOptions
    from .display import watched

    with watched(as_json=json, quiet=quiet) as show:
        choices = ExportChoices(to or "", folder, tuple(layer or ()), grid)
        return print_exported(engine(out, choices, options=RunOptions(report=show, **run)), as_json=json)


def print_exported(exported: Exported, *, as_json: bool) -> int:
    """Print what was written; returns the exit status."""
    import dataclasses

    from .tell import print_json

    if as_json:
        print_json({"event": "result", **dataclasses.asdict(exported), "exit": 0})
        return 0
    kept = f", {len(exported.kept)} were there already" if exported.kept else ""
    say(f"{exported.folder}: {len(exported.written)} files or stores written, for {exported.images} images{kept}")
    for name in exported.unfinished:
        say(f"warning: {name} is not finished and was left out", error=True)
    return 0
