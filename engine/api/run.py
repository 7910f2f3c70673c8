"""Run: the results of a run, opened for Python: images and layers (xarray), tables (AnnData), shares (pandas)."""

from __future__ import annotations

import difflib
import io
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CorruptError, SettingsError
from ...stores.cells import LabelCells
from ...stores.image import StoredImage
from ...stores.lazy import as_dataarray, as_dataset, cells_as_dataarray
from ...stores.remote import absolute
from ...stores.tables import read_table
from ..pipeline.documents import read_run
from ..pipeline.image_documents import read_quarantined, read_rejected
from ..runtime.load import load

if TYPE_CHECKING:
    import anndata
    import pandas as pd
    import xarray as xr

    from ..export.export import Exported
    from ..export.warp_file import WarpedFile
    from ..runtime.options import RunOptions
    from ..search.hits import Hits
    from ..search.search import At


class Run:
    """An output folder, read lazily: files when an attribute is used, pixels when they are computed.

    Arrays are xarray DataArrays with dims (c, y, x); coordinates are the centres of the cells in micrometres.
    """

    def __init__(self, out: Path, left_out_before: Collection[str] = ()) -> None:
        """`left_out_before`: ids of images rejected, or with masked tiles, before the command: none of its doing."""
        self._job, self.left_out_before = load(out), frozenset(left_out_before)
        self._folder = self._job.folder

    def __repr__(self) -> str:
        return f"Run({str(self.out)!r}, {self._count:,} {self.of}, {self.status})"

    def _repr_html_(self) -> str:
        """A small table for notebooks: the run, its images, the number of clusters, and where the report lies."""
        rows = {
            "run": f"{escape(self._job.pipeline.called)}, {self.status}",
            "images": f"{self._count:,} {escape(self.of)}"
            + (f", {len(self.rejected)} rejected" if self.rejected else ""),
            "folder": escape(str(self.out)),
        }
        if validity := self._folder.read("models/validity"):
            rows["K"] = escape(str(self.settings.get("level") or validity.get("k")))
        if self.report.exists():
            rows["report"] = escape(str(self.report))  # as text: a notebook's page may not follow a link to a file
        return f"<table>{''.join(f'<tr><th>{name}</th><td>{value}</td></tr>' for name, value in rows.items())}</table>"

    @property
    def _count(self) -> int:
        return sum(record.images for record in self._job.slides.values())

    @property
    def out(self) -> Path:
        return self._folder.out

    @property
    def status(self) -> str:
        """`running` (unfinished; the same command resumes the run) or `done`."""
        return read_run(self._folder).status

    @property
    def of(self) -> str:
        """Modality of the run's images: `slides`, `volumes`, `films` or `sections`."""
        return self._folder.images

    @property
    def slides(self) -> list[str]:
        """Ids of the slides in use."""
        return list(self._job.slides)

    @property
    def paths(self) -> dict[str, str]:
        """Slide id -> path of the slide's own file."""
        return {slide: record.path for slide, record in self._job.slides.items()}

    @property
    def images(self) -> dict[str, xr.DataArray]:
        """Slide id -> finest stored level of the slide, lazy."""
        return {slide: self.image(slide) for slide in self._job.slides}

    @property
    def films(self) -> xr.Dataset:
        """All films of a run on films, lazy: films (film, y, x) uint8, and name, subject, label ... of each (film,)."""
        return as_dataset(self._folder.films)

    def image(self, slide: str, level: int = 0) -> xr.DataArray:
        return as_dataarray(self._open(self._folder.slide(slide)), level, slide)

    def layers(self, name: str) -> dict[str, xr.DataArray]:
        """Slide id -> a layer ("confidence", "embedding", "assignment"), or a label ("tissue", "clusters") on its cells.

        A version of the image itself ("harmonized/B") is there for some images only, and those are returned.
        Raises CorruptError if the layer does not exist (yet), SettingsError (E_NO_LAYER) for a name that no layer of this kind
        of run has.
        """
        if any(self._folder.label(slide, name).exists() for slide in self._job.slides):
            return {slide: cells_as_dataarray(self._cells(slide, name), name) for slide in self._job.slides}
        paths = {slide: self._folder.layer(slide, name) for slide in self._job.slides}
        if not any(path.exists() for path in paths.values()):
            self._check_layer(name)
        if "/" in name and any(path.exists() for path in paths.values()):
            paths = {slide: path for slide, path in paths.items() if path.exists()}
        return {slide: as_dataarray(self._open(path), 0, name) for slide, path in paths.items()}

    def labels(self, name: str, level: int = 0) -> dict[str, xr.DataArray]:
        """Slide id -> a label ("tissue", "clusters") as it is stored: on the grid of `image(slide, level)`, pixel by pixel,
        or of older runs, and with `label_grid="cells"`, on its cells. `layers` has it on its cells in any case."""
        return {slide: as_dataarray(self._cells(slide, name).image, level, name) for slide in self._job.slides}

    def table(self, name: str) -> anndata.AnnData:
        """A table of the run by its name ("tiles", "volumes"). Raises CorruptError if the table does not exist (yet), and
        SettingsError (E_NO_TABLE) for one that such a run never writes."""
        self._check_output(f"tables/{name}.zarr", f"table {name!r}")
        return read_table(self._folder.out / "tables" / f"{name}.zarr")

    def document(self, name: str) -> dict[str, Any]:
        """A document in models/ by its name ("validity", "clusters", "evaluation"), as JSON values.

        Raises CorruptError if the document does not exist (yet).
        """
        value = self._folder.read(f"models/{name}")
        if not value:
            raise CorruptError(f"{self.out / 'models' / name}.json is not there: it was not made yet, or was removed.")
        return value

    @property
    def tiles(self) -> anndata.AnnData:
        """One row per tile: X = embedding, obs (slide, cluster, confidence, y_um ...), obsm["spatial"], obsm["X_umap"].

        Of too few different tiles for a UMAP, obsm has their principal components instead, "X_pca".
        """
        return self.table("tiles")

    @property
    def volumes(self) -> anndata.AnnData:
        """One row per volume: X = embedding, obs (id, name, subject, site, label ...), obsm["X_umap"], obsm["X_tsne"].

        Of too few different volumes for these, obsm has their principal components instead, "X_pca".
        """
        return self.table("volumes")

    @property
    def evaluation(self) -> dict[str, Any]:
        """Evaluation of the embeddings: figures by method, over folds."""
        return self.document("evaluation")

    @property
    def shares(self) -> pd.DataFrame:
        """Share of each cluster on each slide, indexed by slide id. Raises CorruptError where it is not there (yet), and
        SettingsError (E_NO_TABLE) for a run that never writes it."""
        import pandas as pd

        self._check_output("shares.csv", "shares.csv")
        try:
            data = (self.out / "shares.csv").read_bytes()
        except FileNotFoundError as error:
            text = "the step that writes it is not done yet (run the same command again, or `tile-engine map OUT`)"
            raise CorruptError(f"{self.out / 'shares.csv'} is not there: {text}, or it was removed.") from error
        return pd.read_csv(io.BytesIO(data), index_col="slide")

    @property
    def rejected(self) -> dict[str, dict[str, Any]]:
        """Slide id -> name, reason code and message of each rejected slide."""
        return {slide: asdict(rejection) for slide, rejection in read_rejected(self._folder).items()}

    @property
    def quarantined(self) -> dict[str, list[dict[str, Any]]]:
        """Slide id -> masked tiles (level, start, stop): decoding them crashes the process."""
        return {slide: list(map(asdict, tiles)) for slide, tiles in read_quarantined(self._folder).items()}

    @property
    def settings(self) -> dict[str, Any]:
        return dict(read_run(self._folder).settings)

    @property
    def validity(self) -> dict[str, Any]:
        """The chosen K, the range of K, and every validity index of every K and seed."""
        return self.document("validity")

    @property
    def report(self) -> Path:
        return self._folder.report

    def map(self, slide: str) -> Path:
        """Path of the slide's map, a PNG."""
        return self._folder.map(slide)

    @property
    def exit_status(self) -> int:
        """0: done; 3: done, but slides were rejected or tiles quarantined (by `relabel`, of its answer); 75: unfinished."""
        if self.status != "done":
            return 75
        return 3 if {*self.rejected, *self.quarantined} - self.left_out_before else 0

    def search(self, query: str | Path, *, k: int = 10, at: At | None = None, **options: Any) -> Hits:
        """The `k` cases of the run most similar to a query; `options`: same_subject and mpp (see `tile_engine.search`)."""
        from ..search.search import search

        return search(self.out, query, k=k, at=at, **options)

    def export(
        self,
        to: str = "nifti",
        folder: str | Path | None = None,
        *,
        layers: Sequence[str] = (),
        grid: str = "auto",
        options: RunOptions | None = None,
    ) -> Exported:
        """Write the images of the run for other programs, to OUT/FORMAT by default; `layers` names some labels and layers.

        `to` is nifti, ome-zarr-0.4, ome-tiff, spatialdata, h5, parquet or geojson; `grid`, of nifti, auto, source or layer. See
        `tile_engine.export`.
        """
        from ..export.export import ExportChoices, export

        return export(self.out, ExportChoices(to, folder, tuple(layers), grid), options=options)

    def view(self, *, idle: float = 60.0, read_only: bool = False, ready: Callable[[str], None] | None = None) -> None:
        """Show the results on a page of this machine's browser, until nobody has used it for `idle` minutes, or Ctrl-C.

        `ready` gets the page's address in place of the browser: `print`, where the browser is elsewhere.
        """
        from .viewing import open_browser, serve

        serve(self.out, idle=idle, read_only=read_only, ready=ready or open_browser)

    def warp(
        self,
        file: str | Path,
        *,
        block: str,
        stain: str,
        inverse: bool = False,
        to: str | Path | None = None,
        overwrite: bool = False,
    ) -> WarpedFile:
        """Bring points, GeoJSON or labels of a section onto the reference of its block, or back: `tile_engine.warp_file`."""
        from ..export.warp_file import warp_file

        return warp_file(self.out, file, block=block, stain=stain, inverse=inverse, to=to, overwrite=overwrite)

    def _cells(self, slide: str, name: str) -> LabelCells:
        return LabelCells.open(self._there(self._folder.label(slide, name)))

    def _check_output(self, path: str, what: str) -> None:
        """Raises SettingsError (E_NO_TABLE) for a table that no step of the run writes."""
        pipeline = self._job.pipeline
        written = [output.path for step in pipeline.steps.values() for output in step.outputs]
        if path in written:
            return
        tables = [one.removeprefix("tables/").removesuffix(".zarr") for one in written if one.startswith("tables/")]
        others = " or ".join(f".table({name!r})" for name in dict.fromkeys(tables))
        raise SettingsError(
            f"{self.out} is a run of `tile-engine run {pipeline.called}`, which writes no {what}: "
            + (f"its tables are read by {others}." if others else "it writes no table."),
            "E_NO_TABLE",
        )

    def _check_layer(self, name: str) -> None:
        """Raises SettingsError (E_NO_LAYER) if no step of the run leaves a layer or label of this name."""
        outputs = (output.path for step in self._job.pipeline.steps.values() for output in step.outputs)
        names = sorted({path.rpartition("/")[2] for path in outputs if "/layers/" in path or "/labels/" in path})
        if name in names or "/" in name or not names:
            return
        near = difflib.get_close_matches(name, names, 1)
        meant = f", did you mean {near[0]!r}?" if near else "."
        raise SettingsError(f"there is no layer {name!r}{meant} Layers of this run: {', '.join(names)}.", "E_NO_LAYER")

    def _open(self, path: Path) -> StoredImage:
        return StoredImage.open(self._there(path))

    @staticmethod
    def _there(path: Path) -> Path:
        if not path.exists():
            raise CorruptError(f"{path} is not there: it was not made yet, or was removed. Run the same command again.")
        return path


def open_run(out: str | Path) -> Run:
    """Open an output folder. Raises SettingsError (E_NO_RUN) if it holds no run."""
    return Run(absolute(out))


__all__ = ["Run", "open_run"]
