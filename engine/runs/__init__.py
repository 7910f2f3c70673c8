"""runs: one file for each run that the command line offers."""

from __future__ import annotations

from collections.abc import Mapping

from ..pipeline.job import Job
from ..pipeline.settings import Common
from ..pipeline.spec import Kind
from ..steps.settings import VolumeTiles
from .cluster import CLUSTER_SLIDES, CLUSTER_VOLUMES
from .cluster.settings import Settings, VolumeClusters
from .embed import EMBED_SLIDES, EMBED_VOLUMES, VOLUME_TILES
from .embed.settings import EmbedSettings
from .embed.tile_settings import SlideTiles

SETTINGS: Mapping[tuple[str, str], type[Common]] = {
    ("cluster", "slides"): Settings,
    ("cluster", "volumes"): VolumeClusters,
    ("embed", "slides"): SlideTiles,
    ("embed", "volumes"): EmbedSettings,
    ("tiles", "volumes"): VolumeTiles,
}
"""(command, what it is on) -> what may be asked."""
KINDS = {
    (kind.command, kind.images): kind
    for kind in (CLUSTER_SLIDES, CLUSTER_VOLUMES, EMBED_SLIDES, EMBED_VOLUMES, VOLUME_TILES)
}


def kind_of(job: Job) -> Kind:
    return KINDS[job.command, job.folder.images]
