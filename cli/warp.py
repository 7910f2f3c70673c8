"""warp: the command that brings points, outlines and labels of one section onto another."""

from __future__ import annotations

from typing import Annotated

import typer

from ..engine.pipeline.option import READ, WRITE
from .from_settings import AsJson, OutArgument
from .say import say

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="Points (CSV with X and Y; whole numbers are centres of pixels) or GeoJSON (whole numbers are corners) in pixels "
        "of level 0, or labels (PNG, TIFF, a label of an OME-Zarr).",
        show_default=False,
    ),
]
Block = Annotated[str, typer.Option("--block", metavar="NAME", help="The block, by name or id.", rich_help_panel=READ)]
Stain = Annotated[str, typer.Option("--stain", metavar="NAME", help="The stain of the section.", rich_help_panel=READ)]
Inverse = Annotated[
    bool,
    typer.Option(
        "--inverse", help="FILE lies on the reference, and is brought onto the section.", rich_help_panel=READ
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="File to write. [default: beside FILE, of a label of an OME-Zarr in the current folder, named after it]",
        rich_help_panel=WRITE,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name.", rich_help_panel=WRITE)]


def warp(
    out: OutArgument,
    file: File,
    block: Block,
    stain: Stain,
    inverse: Inverse = False,
    target: Target = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
) -> int:
    """Bring points, outlines or labels that lie on a registered section onto the reference of its block, or back.

    A new file is written; what has no place on the other section is left out and counted.

    Example: `tile-engine warp results/ points.csv --block kidney --stain PanCK`"""
    from ..engine.export.warp_file import as_values, warp_file
    from .tell import print_json

    done = warp_file(out, file, block=block, stain=stain, inverse=inverse, to=target, overwrite=overwrite)
    if json:
        print_json({"event": "result", **as_values(done), "exit": 0})
        return 0
    way = f"from the reference onto {done.stain}" if inverse else f"from {done.stain} onto the reference"
    say(
        f"{done.path}: {done.count:,} {'pixels of labels' if done.kind == 'labels' else done.kind} {way} of block {done.block}"
    )
    if done.lost:
        what = {"points": "points", "outlines": "outlines", "labels": "pixels"}[done.kind]
        say(f"warning: {done.lost:,} {what} have no place there and were left out", error=True)
    if done.measurements:
        say(
            f"warning: the measurements of {done.measurements:,} outlines were left out: areas and positions are others there. "
            "Measure again.",
            error=True,
        )
    return 0
