"""networks: the trained networks of a run, applied to tiles and slices: their scores, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....stores.frame import Array
from ...compute.resources import resources
from ...pipeline.job import Job
from ...steps.checkpoints import ModelRecord, device_of, read_record
from .score_names import PROPERTIES, QUICK_NAMES, QUICK_OF_VAE
from .spotters import load_spotters
from .train import VAE, load_vae

if TYPE_CHECKING:
    from ....models.anomaly.evidence import Draws
    from ....models.anomaly.spots import SpotterReference
    from ....models.networks.spotter import Spotter
    from ....models.networks.vae import Vae


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """The trained networks of a run, on their device."""

    vae: Vae
    spotters: list[Spotter]
    references: list[SpotterReference]

    def scores(self, images: Array, draws: Draws) -> dict[str, Array]:
        """`QUICK_NAMES` of images (n, C, side, side) -> (n,) float64; `draws` are shared."""
        from ....models.anomaly.scores import score_films
        from ....models.anomaly.spots import score_spots

        of_vae = score_films(self.vae, images, [""] * len(images), names=QUICK_OF_VAE, draws=draws)
        values = score_spots(self.spotters, self.references, images) | of_vae
        return {name: values[name] for name in QUICK_NAMES}


def networks_of(job: Job[Any]) -> Networks:
    """The trained networks, kept per process."""
    names = (VAE, *(f"spotter-{n}" for n in range(1, job.settings.spotters + 1)))
    key = tuple((job.folder.model(name), read_record(job, name, ModelRecord).sha256) for name in names)

    def load() -> Networks:
        device = device_of(job)
        spotters, references = load_spotters(job)
        return Networks(load_vae(job).to(device), [spotter.to(device) for spotter in spotters], references)

    return resources().networks.get(key, load)


def properties_of(images: Array) -> dict[str, Array]:
    """`PROPERTIES` of images (n, C, side, side) -> (n,) float64; entropy in nats a pixel."""
    from ....models.evaluation.tone import tones

    values = tones(images)
    entropy = values["pixel_entropy"] / images[0].size
    return dict(zip(PROPERTIES, (values["mean_intensity"], entropy, values["compressed_bits"] / 8), strict=True))
