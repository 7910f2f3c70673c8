"""The table of tiles: one row per tile, as AnnData, with the UMAP of its embedding, what the user's list says of its image, and
its label in runs that assign one.

The table holds at most two million tiles: of a larger cohort, a sample balanced over slides. The layers hold every tile.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...stores.cells import LabelCells
from ...stores.frame import Array
from ...stores.image import StoredImage
from ...stores.tables import read_table, write_table
from ..pipeline.job import Job
from ..pipeline.outputs import INDEX, table
from ..pipeline.progress import ProgressFile
from ..pipeline.record import ImageRecord
from ..pipeline.step import Step, all_columns, once
from ..pipeline.unit import Outcome, Unit
from ..show.page import Section
from ..steps.settings import PatchSettings
from .apply import looked_at
from .layouts import NO_LAYOUT, add_layout
from .list_columns import list_columns
from .sample.balance import balance

if TYPE_CHECKING:
    import pandas as pd

MAX_TABLE_ROWS = 2_000_000
CELL = {"z": "plane", "y": "row", "x": "column"}
"""Name of the column with a tile's index along an axis."""
UMAP_SAMPLE = 4_000
"""Tiles that the UMAP is fitted on; all other tiles are projected into it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Coordinates of the table's tiles in the plane, float32 (n, 2), and the method that placed them."""

    coordinates: Array
    method: str
    images: dict[str, ImageRecord] | None = None
    """Images that were in use when the tiles were placed, by id: of more tiles than a table holds, its sample is drawn from
    theirs; None: those that are in use."""


@dataclass(frozen=True, slots=True)
class TileLabel:
    """An integer label image that becomes a column of the table; tiles with label 0 get no row."""

    name: str
    column: str
    values: tuple[int, ...]
    """Labels that a tile may have, in ascending order."""
    fields: tuple[str, ...] = ()
    """Layers on the same grid that become columns too."""
    colours: tuple[str, ...] = ()
    """Colours of the values, as #rrggbb, where scanpy and SpatialData look for them: uns["<column>_colors"]."""
    names: tuple[str, ...] = ()
    """Names of the values, which become the column `<column>_name`."""

    @property
    def of_names(self) -> str:
        """The column of names."""
        return f"{self.column}_name"

    def named(self, values: Array) -> pd.Categorical:
        """The name of each of these values; two values may have one name."""
        import pandas as pd

        names = np.array(self.names, object)[np.searchsorted(self.values, values)]
        return pd.Categorical(names, categories=list(dict.fromkeys(self.names)))


def table_step(field: str) -> Step:
    """The step that writes the table of tiles, whose X holds the values of a field: an embedding or another layer."""
    return Step(
        "table",
        "table and UMAP",
        partial(write_tile_table, field=field),
        once,
        settings=("umap",),
        columns=all_columns,
        outputs=(table("tiles"), INDEX),
        progress=True,
    )


def write_tile_table(
    job: Job[PatchSettings],
    unit: Unit,
    label: TileLabel | None = None,
    *,
    field: str = "embedding",
    layout: Layout | None = None,
) -> Outcome:
    """Collect every image's tiles, fit the UMAP on a sample balanced over images, and write the table.

    With a `layout` of the same tiles, its coordinates are written and none are fitted.
    """
    import anndata
    import pandas as pd

    outcome = Outcome()
    slides, records = list(job.slides), list(job.slides.values())
    with outcome.clock("read"):
        placed = replace(job, slides=layout.images) if layout and layout.images else job
        columns, counts = tile_columns(placed, field, label, images=slides)
        embedding = columns.pop("X")
    obs = pd.DataFrame(
        {
            "slide": pd.Categorical(np.repeat(slides, counts), categories=slides),
            **columns,
            "site": pd.Categorical(np.repeat([r.site for r in records], counts)),
            "subject": pd.Categorical(np.repeat([r.subject for r in records], counts)),
        }
    )
    if label:
        obs[label.column] = pd.Categorical(columns[label.column], categories=label.values)
        if label.names:
            obs[label.of_names] = label.named(columns[label.column])
    for name, values in list_columns(records).items():
        repeated = np.repeat(values, counts)
        obs[name] = repeated if repeated.dtype.kind == "f" else pd.Categorical(repeated)
    axes = patch_axes(job)
    cells = zip(obs["slide"], *(columns[CELL[axis]] for axis in axes), strict=True)
    obs.index = [":".join(map(str, cell)) for cell in cells]
    rows = anndata.AnnData(X=embedding.astype(np.float32, copy=False), obs=obs)  # readers in JavaScript have no float16
    if label and label.colours:
        rows.uns[f"{label.column}_colors"] = list(label.colours)
    rows.obsm["spatial"] = np.stack([columns[f"{axis}_um"] for axis in axes[::-1]], 1)
    if layout is None:
        with outcome.clock("compute"):
            layout = layout_of(job, embedding, counts)
    add_layout(rows, layout.coordinates, layout.method)
    rows.uns["tile_engine"] = {
        "patch_um": job.settings.side * job.spacing,
        "stride_um": job.settings.step * job.spacing,
        "umap": layout.method,
    }
    with outcome.clock("write"):
        outcome.files += write_table(job.folder.table, rows)
    outcome.facts.update(tiles=len(obs), umap=layout.method)
    outcome.notices += filter(None, [sampled_note(job)])
    return outcome


def tile_columns(
    job: Job[PatchSettings],
    field: str = "embedding",
    label: TileLabel | None = None,
    *,
    images: Collection[str] = (),
) -> tuple[dict[str, Array], list[int]]:
    """(columns of the table's tiles of these images, or of all, number of each image's tiles); see `tiles_of`."""
    counts = row_counts(job)
    parts = [tiles_of(job, image, field, most=counts[image], label=label) for image in images or counts]
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}, [len(p["x"]) for p in parts]


def row_counts(job: Job[PatchSettings]) -> dict[str, int]:
    """Image -> its rows of the table: all its tiles, or of a large cohort a sample that is balanced over images."""
    counts = [looked_at(job, image) for image in job.slides]
    return dict(zip(job.slides, balance(counts, [""] * len(counts), MAX_TABLE_ROWS), strict=True))


def read_tiles(job: Job[PatchSettings]) -> Any:
    """The table of tiles, as AnnData, without the rows of images that a later step rejected."""
    table, images = read_table(job.folder.table), list(job.slides)
    if list(table.obs["slide"].cat.categories) != images:
        table = table[table.obs["slide"].isin(images).to_numpy()].copy()
        table.obs["slide"] = table.obs["slide"].cat.set_categories(images)
    return table


def sampled_note(job: Job[PatchSettings]) -> str:
    """What a reader should know of a table that holds a sample of the tiles; empty where it holds all of them."""
    counts = [looked_at(job, slide) for slide in job.slides]
    held = sum(row_counts(job).values())
    if held >= sum(counts):
        return ""
    return (
        f"The table, its plane and what is computed from it hold {held:,} of {sum(counts):,} tiles, a sample balanced over "
        f"{job.modality.plural}; the layers and maps hold every tile."
    )


def sampled_section(job: Job[PatchSettings]) -> list[Section]:
    """The section of a report that says so."""
    note = sampled_note(job)
    return [Section("Sample of the tiles", text=(note,))] if note else []


def patch_axes(job: Job[PatchSettings]) -> tuple[str, ...]:
    return job.modality.axes


def tiles_of(
    job: Job[PatchSettings], slide: str, field: str, *, most: int | None = None, label: TileLabel | None = None
) -> dict[str, Array]:
    """Columns of one image's tiles, all or a sample of `most`: grid cell, first pixel of the cell, centre in um, label and
    fields; `X` is the field.

    Without a label, tiles whose field is zero in every channel get no row."""
    folder, record = job.folder, job.slides[slide]
    image = StoredImage.open(folder.layer(slide, field))
    frame = image.frames[0]
    embedding = image.read(frame.box)
    values = LabelCells.open(folder.label(slide, label.name)).read(frame.box) if label else None
    at: tuple[Array, ...] = np.nonzero(
        embedding.any(0) if values is None else values
    )  # no network outputs zeros in every channel
    if most is not None and len(at[0]) > most:
        generator = np.random.default_rng([job.settings.seed, 2, list(job.slides).index(slide)])
        sample = np.sort(generator.choice(len(at[0]), most, replace=False))
        at = tuple(index[sample] for index in at)
    step, axes = job.settings.step, frame.axes
    columns: dict[str, Array] = {CELL[axis]: i.astype(np.int32) for axis, i in zip(axes, at, strict=True)}
    columns |= {axis: (i * step).astype(np.int64) for axis, i in zip(axes, at, strict=True)}
    centres = [record.origin[n] + (at[n] + 0.5) * frame.spacing[n] for n in range(len(axes))]
    if not record.placement.straight:
        centres = list(record.placement.to_world(np.stack(centres, 1)).T)
    columns |= {f"{axis}_um": centre for axis, centre in zip(axes, centres, strict=True)}
    if label and values is not None:
        columns[label.column] = values[at].astype(np.int32)
        for name in label.fields:
            columns[name] = StoredImage.open(folder.layer(slide, name)).read(frame.box)[0][at]
    return columns | {"X": np.ascontiguousarray(np.moveaxis(embedding, 0, -1)[at])}


def layout_of(job: Job[PatchSettings], embedding: Array, counts: list[int]) -> Layout:
    """UMAP coordinates of every tile: fitted on a sample balanced over slides; the other tiles are projected into it."""
    from ...models.evaluation.projection import embed_points, fit_umap

    if not job.settings.umap or len(embedding) <= 2:
        return Layout(np.zeros((len(embedding), 2), np.float32), NO_LAYOUT)
    generator = np.random.default_rng([job.settings.seed, 3])
    sizes = balance(counts, [""] * len(counts), UMAP_SAMPLE)
    starts = np.cumsum([0, *counts[:-1]])
    chosen = [s + np.sort(generator.choice(n, k, replace=False)) for s, n, k in zip(starts, counts, sizes, strict=True)]
    projection = fit_umap(embedding[np.concatenate(chosen).astype(int)].astype(np.float32), seed=job.settings.seed)
    progress = ProgressFile(job.folder.out, part=1, parts=2)  # the fit, which tells nothing, counts as half
    coordinates = embed_points(
        embedding.astype(np.float32), projection, tell=lambda done, total: progress.tell("layout", done, total, {})
    )
    return Layout(coordinates, projection.method)
