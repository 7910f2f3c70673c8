"""score: the scores of a batch of films, and maps of where, beside the films in films.zarr.

```text
films.zarr/scores/<name> (film,) float32     higher = less like the films that were trained on; nan: not scored
          /error (film, y, x) float16        squared error of the reconstruction of each pixel
          /evidence (film, y, x) float16     probability that an anomaly is there, by the networks that saw pasted ones
```
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....stores.array import StoredArray, written
from ....stores.files import write_json
from ....stores.folder import Folder
from ....stores.frame import Array, Box
from ....stores.texts import read_texts
from ...compute.gpu_stream import gpu_errors
from ...pipeline.job import Job
from ...pipeline.outputs import Output
from ...pipeline.unit import Outcome, Unit
from ...steps.films.layout import IMAGES, PROPERTIES, first_row
from .networks import networks_of
from .score_names import NAMES, OF_VAE
from .settings import AnomalySettings

SCORES, ERROR, EVIDENCE = "scores", "error", "evidence"
MAPS = (ERROR, EVIDENCE)


def plan_outputs() -> tuple[Output, ...]:
    names = "|".join(NAMES)
    return (
        Output(f"films.zarr/{SCORES}", rf"(({names})/)?zarr\.json"),
        *(Output(f"films.zarr/{name}/zarr.json") for name in MAPS),
    )


def score_outputs() -> tuple[Output, ...]:
    """The shards of a batch."""
    maps = [Output(f"films.zarr/{name}/c/{{image}}", "0/0") for name in MAPS]
    return (*maps, *(Output(f"films.zarr/{SCORES}/{name}/c/{{image}}") for name in NAMES))


def maps_of(settings: AnomalySettings) -> tuple[str, ...]:
    """The maps that are made: those of the scores that are computed."""
    return MAPS if set(settings.score_names) & set(OF_VAE) else (EVIDENCE,)


def plan_scores(job: Job[AnomalySettings], unit: Unit) -> Outcome:
    """Write the metadata of the scores' arrays, before any batch."""
    outcome = Outcome()
    root = job.folder.films
    images, numbers = (StoredArray.open(root / name).spec for name in (IMAGES, next(iter(PROPERTIES))))
    write_json(root / SCORES / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": {}})
    documents = [root / SCORES / "zarr.json"]
    for name in maps_of(job.settings):
        StoredArray.create(root / name, replace(images, dtype="float16"))
        documents.append(root / name / "zarr.json")
    for name in job.settings.score_names:
        StoredArray.create(root / SCORES / name, replace(numbers, dtype="float32", fill=0))
        documents.append(root / SCORES / name / "zarr.json")
    outcome.files += [written(path) for path in documents]
    return outcome


def score_batch(job: Job[AnomalySettings], unit: Unit) -> Outcome:
    """Score the films of one batch that are used; the others have nan."""
    import torch

    from ....models.anomaly.evidence import Draws, error_maps
    from ....models.anomaly.scores import score_films
    from ....models.anomaly.spots import score_spots, spot_maps

    outcome, root = Outcome(), job.folder.films
    count, side, _ = job.slides[unit.slide].shape
    first = first_row(job, unit.slide)
    box = Box((first, 0, 0), (first + count, side, side))
    scores = {name: np.full(count, np.nan, np.float32) for name in job.settings.score_names}
    maps = {name: np.zeros((count, side, side), np.float16) for name in maps_of(job.settings)}
    with outcome.clock("read"):
        keys = read_texts(root / "name", first, first + count)
        used = np.flatnonzero(read_texts(root / "reason", first, first + count) == "")
        films = StoredArray.open(root / IMAGES).read(box)[used, None]
    if len(used):
        with outcome.clock("compute"), gpu_errors():
            torch.set_num_threads(job.settings.threads)
            networks = networks_of(job)
            values = score_spots(networks.spotters, networks.references, films)
            drawn = {EVIDENCE: spot_maps(networks.spotters, films)}
            if of_vae := [name for name in scores if name in OF_VAE]:
                draws = Draws(job.settings.draws, job.settings.seed)
                values |= score_films(networks.vae, films, keys[used].tolist(), names=of_vae, draws=draws)
                drawn[ERROR] = error_maps(networks.vae, films)
            for name, each in values.items():
                scores[name][used] = each
            for name, parts in drawn.items():
                for rows, each in parts:
                    maps[name][used[rows]] = each
    with outcome.clock("write"):
        outcome.files += [StoredArray.open(root / name).write(box, values) for name, values in maps.items()]
        row = Box((first,), (first + count,))
        outcome.files += [StoredArray.open(root / SCORES / name).write(row, each) for name, each in scores.items()]
    outcome.facts["films"] = len(used)
    return outcome


def scores_of(folder: Folder) -> dict[str, Array]:
    """Name -> score of each film, (film,) float32; nan where a film is not scored."""
    paths = {name: folder.films / SCORES / name for name in NAMES}
    return {name: _scores(StoredArray.open(path)) for name, path in paths.items() if (path / "zarr.json").exists()}


def _scores(array: StoredArray) -> Array:
    """Shard by shard: a rejected batch has none."""
    values = np.full(array.spec.shape, np.nan, np.float32)
    for box in array.spec.shards:
        if array.shard_path((box.start[0] // array.spec.shard[0],)).exists():
            values[box.slices] = array.read(box)
    return values
