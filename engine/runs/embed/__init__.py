"""embed: one embedding a volume, or a tile of slides and volumes."""

from __future__ import annotations

from ...pipeline.spec import Kind
from ...steps.apply import Layers, Tiles
from ...steps.autoencoder import TrainAutoencoder
from ...steps.convert.overview import Overview
from ...steps.convert.pixels import Pixels
from ...steps.convert.pyramid import Pyramid
from ...steps.sample.draw import Draw
from ...steps.sample.patches import Patches
from ...steps.table import Table
from ...steps.volumes.prepare import Lineup, Prepare
from .encode import Encode
from .evaluate import Judge
from .folds import refuse_what_cannot_work
from .networks import Networks
from .page import Review
from .table import CaseTable
from .tile_page import TilePage

EMBED_VOLUMES = Kind(
    "embed",
    "volumes",
    {
        "convert": (Pixels(), Pyramid()),
        "sample": (Lineup(), Prepare()),
        "train": (Networks(),),
        "apply": (Encode(), Judge()),
        "map": (CaseTable(), Review()),
    },
    refuse_what_cannot_work,
)
EMBED_SLIDES = Kind(
    "embed",
    "slides",
    {
        "convert": (Overview(), Pixels(), Pyramid()),
        "sample": (Draw(), Patches()),
        "train": (TrainAutoencoder(),),
        "apply": (Tiles(), Layers()),
        "map": (Table(), TilePage()),
    },
)
VOLUME_TILES = Kind("tiles", "volumes", {**EMBED_SLIDES.stages, "convert": (Pixels(), Pyramid())})
"""What `run embed --volumes --tile` is."""
