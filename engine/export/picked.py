"""Picked: an image of a run with the labels that are exported of it, and its tiles where a format asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import SettingsError
from ...stores.frame import Array
from ...stores.image import StoredImage, is_finished, labels_listed
from ..pipeline.job import Job
from ..pipeline.record import ImageRecord
from ..steps.list_columns import list_columns
from ..steps.settings import PatchSettings
from ..steps.table import TileLabel, tiles_of
from .fields import Field
from .plain_names import plain_names
from .sidecars import labels_of

if TYPE_CHECKING:
    import anndata

CLUSTERS = "clusters"
PLAIN = "#808080"
"""Colour of a cluster that states none."""
EMBEDDING = "embedding"
BESIDE = ("confidence", "assignment")
"""Layers that become columns of a table of clustered tiles."""


def columns_listed(job: Job[Any]) -> Mapping[str, Array]:
    """The columns of a run's list, as a table of tiles has them."""
    return list_columns(job.slides.values())


@dataclass(frozen=True)
class Picked:
    """An image of a run, and what is exported of it."""

    job: Job[Any]
    image: str
    """Its id."""
    labels: tuple[Field, ...]
    """The finished labels that were asked for."""
    with_tiles: bool = False
    """Whether its tiles were asked for by name, where a format leaves them out otherwise."""
    listed: Callable[[], Mapping[str, Array]] | None = None
    """Gives the columns of the run's list, where many images are exported."""
    plain: Callable[[], Mapping[str, str]] | None = None
    """Gives `plain_names` of the run, where many images are exported."""

    @property
    def record(self) -> ImageRecord:
        return self.job.slides[self.image]

    @property
    def plain_name(self) -> str:
        """The name of its own file where it has it alone, else its id: see `plain_names`."""
        return (self.plain() if self.plain else plain_names(self.job.opened))[self.image]

    @property
    def store(self) -> Path:
        return self.job.folder.slide(self.image)

    @cached_property
    def stored(self) -> StoredImage:
        return StoredImage.open(self.store)

    @property
    def patch(self) -> PatchSettings:
        """The settings of its tiles. Raises SettingsError (E_NO_LAYER) for a run without embeddings of tiles."""
        self.check_tiled()
        settings: PatchSettings = self.job.settings
        return settings

    def check_tiled(self) -> None:
        """Raises SettingsError (E_NO_LAYER) for a run that makes no embeddings of tiles."""
        if not isinstance(self.job.settings, PatchSettings):
            raise SettingsError(
                f"{self.job.folder.out} has no embeddings of tiles, which this format holds: it is no run of `run cluster` or "
                "of `run embed --slides`.",
                "E_NO_LAYER",
            )

    @property
    def has_tiles(self) -> bool:
        """Whether the run has finished its embeddings of tiles."""
        return is_finished(self.job.folder.layer(self.image, EMBEDDING))

    def tiles(self) -> anndata.AnnData:
        """Its tiles, all of them: X = embedding (n, F) float32; obs as in the table of the run, without the slide."""
        import anndata
        import pandas as pd

        label = self._clusters() if CLUSTERS in labels_listed(self.store) else None
        columns = tiles_of(self.job, self.image, EMBEDDING, label=label)
        embedding = np.asarray(columns.pop("X"), np.float32)
        obs = pd.DataFrame(columns, index=[str(n) for n in range(1, len(embedding) + 1)])
        table = anndata.AnnData(X=embedding, obs=obs)
        table.obsm["spatial"] = np.stack([columns[f"{axis}_um"] for axis in self.job.modality.axes[::-1]], 1)
        if label:
            numbers = sorted(set(columns["cluster"].tolist()))
            label = self._clusters(numbers)
            colours = dict(zip(label.values, label.colours, strict=True))
            table.obs["cluster"] = pd.Categorical(columns["cluster"], categories=numbers)
            table.obs[label.of_names] = label.named(columns["cluster"])
            table.uns["cluster_colors"] = [colours[n] for n in numbers]
        for name, values in (self.listed() if self.listed else columns_listed(self.job)).items():
            value = values[list(self.job.slides).index(self.image)]
            is_number = values.dtype.kind == "f"
            table.obs[name] = value if is_number else pd.Categorical([value] * len(table), categories=[value])
        return table

    def _clusters(self, present: Sequence[int] = ()) -> TileLabel:
        """The clusters of its tiles: those that its label states, and those that are present."""
        stated = labels_of(Field(CLUSTERS, self.job.folder.label(self.image, CLUSTERS), True), present)
        values, names = tuple(value for value, _, _ in stated), tuple(name for _, name, _ in stated)
        colours = tuple(PLAIN if colour == "n/a" else colour for _, _, colour in stated)
        return TileLabel(CLUSTERS, "cluster", values, BESIDE, colours, names)

    def corners(self, table: anndata.AnnData) -> np.ndarray[Any, Any]:
        """First pixel (x, y) of every tile's patch in level 0 of the slide's own file, int64 (n, 2); may lie outside of it."""
        settings = self.patch
        halo = (settings.side - settings.step) // 2
        scale = self.record.native_scale
        at = np.stack([table.obs["x"], table.obs["y"]], 1) - halo
        return np.rint(at * scale[::-1]).astype(np.int64)
