"""layout: films.zarr as it is planned: the prepared films, and one number of each film for every property.

```text
films.zarr/films (film, y, x) uint8      shard = batch of films, chunk = 16 films
          /<property> (film,)            shard = batch of films
          /name, label, subject, ... (film,) text, written by the index step
```
A batch of films is one image of the run, one unit of work and one shard, so that batches are written side by side.
"""

from __future__ import annotations

from collections.abc import Mapping

from ....stores.array import ArraySpec, StoredArray, written
from ....stores.files import write_json
from ....stores.shard import Codec
from ...pipeline.image_documents import read_images
from ...pipeline.job import Job
from ...pipeline.modality import FILMS_PER_CHUNK, films_in_batch
from ...pipeline.outputs import Output
from ...pipeline.unit import Outcome, Unit
from .settings import FilmSettings

IMAGES = "films"
PROPERTIES: Mapping[str, str] = {
    "unreadable": "uint8",
    "mean_intensity": "float32",
    "pixel_entropy": "float32",
    "packed_bytes": "uint32",
    "file_bytes": "uint64",
    "border": "float32",
}
"""Property of a film -> its type; see `convert.py`."""


def film_count(job: Job[FilmSettings]) -> int:
    """Rows of films.zarr: those of rejected batches are there, too."""
    records = read_images(job.folder)
    return max((first_row(job, batch) + record.shape[0] for batch, record in records.items()), default=0)


def first_row(job: Job[FilmSettings], batch: str) -> int:
    """Row of films.zarr that a batch begins at; the id of a batch is its number."""
    return int(batch) * films_in_batch(job.settings.side)


def images_spec(job: Job[FilmSettings], count: int) -> ArraySpec:
    """The prepared films of a store of `count` films."""
    side, batch = job.settings.side, films_in_batch(job.settings.side)
    chunk = (FILMS_PER_CHUNK, side, side)
    codec = Codec(job.settings.codec)
    return ArraySpec((count, side, side), "uint8", (batch, side, side), chunk, ("film", "y", "x"), 0, codec)


def property_spec(job: Job[FilmSettings], dtype: str, count: int) -> ArraySpec:
    """One number of each film of a store of `count` films."""
    batch = films_in_batch(job.settings.side)
    return ArraySpec((count,), dtype, (batch,), (batch,), ("film",))


def layout_outputs() -> tuple[Output, ...]:
    """The metadata of films.zarr and of the arrays that batches are written to."""
    names = "|".join((IMAGES, *PROPERTIES))
    return (Output("films.zarr", rf"(({names})/)?zarr\.json"),)


def batch_outputs() -> tuple[Output, ...]:
    """The shards of a batch."""
    images = Output(f"films.zarr/{IMAGES}/c/{{image}}", "0/0")
    return (images, *(Output(f"films.zarr/{name}/c/{{image}}") for name in PROPERTIES))


def write_layout(job: Job[FilmSettings], unit: Unit) -> Outcome:
    """Write the metadata of films.zarr, once all batches are there: it states their number, which no batch depends on."""
    outcome = Outcome()
    root, count = job.folder.films, film_count(job)
    write_json(root / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": {"side": job.settings.side}})
    StoredArray.create(root / IMAGES, images_spec(job, count))
    for name, dtype in PROPERTIES.items():
        StoredArray.create(root / name, property_spec(job, dtype, count))
    documents = [root / "zarr.json", *(root / name / "zarr.json" for name in (IMAGES, *PROPERTIES))]
    outcome.files += [written(path) for path in documents]
    return outcome
