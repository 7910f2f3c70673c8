"""cluster: the kinds of tissue on slides or in volumes, and where they are."""

from __future__ import annotations

from ...pipeline.spec import Kind
from ...steps.apply import Tiles
from ...steps.autoencoder import TrainAutoencoder
from ...steps.convert.overview import Overview
from ...steps.convert.pixels import Pixels
from ...steps.convert.pyramid import Pyramid
from ...steps.sample.draw import Draw
from ...steps.sample.patches import Patches
from ...steps.table import Table
from .finetune import Tune
from .heads import Codes, Heads
from .maps import Pictures
from .number import Labels, Number
from .page import Page

CLUSTER_SLIDES = Kind(
    "cluster",
    "slides",
    {
        "convert": (Overview(), Pixels(), Pyramid()),
        "sample": (Draw(), Patches()),
        "train": (TrainAutoencoder(), Codes(), Heads(), Tune()),
        "apply": (Tiles(), Number(), Labels()),
        "map": (Table(), Pictures(), Page()),
    },
)
CLUSTER_VOLUMES = Kind("cluster", "volumes", {**CLUSTER_SLIDES.stages, "convert": (Pixels(), Pyramid())})
