"""Stages: the order of every kind of run's steps, and what decides each. The one table that knows all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..stores.remote import place
from ..stores.slides.cohort import fingerprint
from ..version import VERSION
from .job import Job, SlideRecord, Step, digest
from .runs.apply import Labels, Layers, Number, Tiles
from .runs.cases import CaseTable, Review
from .runs.convert import Overview, Pixels, Pyramid
from .runs.judge import Judge
from .runs.networks import Encode, Networks, refuse_what_cannot_work
from .runs.page import Page
from .runs.pictures import Pictures
from .runs.prepare import Lineup, Prepare
from .runs.sample import Draw, Patches
from .runs.table import Table
from .runs.tile_page import TilePage
from .runs.train import Codes, Heads, TrainAutoencoder, Tune
from .settings import SETTINGS, Common


@dataclass(frozen=True, slots=True)
class Kind:
    """A command on one kind of images."""

    command: str
    images: str
    stages: Mapping[str, tuple[Step, ...]]
    """Stage, as a user calls it -> its steps, in order."""
    check: Callable[[Job], None] = lambda job: None
    """Raises SettingsError for what cannot work, before anything is done."""

    @property
    def called(self) -> str:
        """What a user types after `tile-engine run`."""
        return "embed --tile" if self.command == "tiles" else self.command

    @property
    def steps(self) -> dict[str, Step]:
        return {step.name: step for steps in self.stages.values() for step in steps}

    def stage_of(self, step: str) -> str:
        return next(stage for stage, steps in self.stages.items() if any(s.name == step for s in steps))

    @property
    def settings(self) -> type[Common]:
        return SETTINGS[self.command, self.images]


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
CLUSTER_VOLUMES = Kind("cluster", "volumes", {**CLUSTER_SLIDES.stages, "convert": (Pixels(), Pyramid())})
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
KINDS = {
    (kind.command, kind.images): kind
    for kind in (CLUSTER_SLIDES, CLUSTER_VOLUMES, EMBED_SLIDES, EMBED_VOLUMES, VOLUME_TILES)
}

COHORT = frozenset({"draw", "number", "lineup", "networks"})
"""Steps that look at all images together: what they leave depends on which there are."""
TOLD: Mapping[str, Callable[[SlideRecord, Any], Any]] = {
    "prepare": lambda s, asked: s.extra.get("mask", "") if asked.mask == "given" else "",
    "networks": lambda s, asked: [s.group, s.site, s.extra.get(asked.label, ""), s.extra.get("split", "")],
    "judge": lambda s, _: s.told,
    "table": lambda s, _: s.told,
}
"""Step -> what of that which the user said of an image decides what it leaves, beside its pixels."""


def kind_of(job: Job) -> Kind:
    return KINDS[job.command, job.folder.images]


TITLES: Mapping[str, str] = {
    "overview": "overview",
    "pixels": "convert",
    "pyramid": "pyramid and tissue",
    "draw": "draw patches",
    "patches": "read patches",
    "autoencoder": "train autoencoder",
    "codes": "encode views",
    "heads": "train heads",
    "tune": "fine-tune",
    "tiles": "apply",
    "number": "number clusters",
    "labels": "write labels",
    "layers": "write layers",
    "table": "table and UMAP",
    "pictures": "draw maps",
    "page": "report",
    "lineup": "line volumes up",
    "prepare": "prepare volumes",
    "networks": "train networks",
    "encode": "encode volumes",
    "judge": "judge codes",
    "cases": "table and plane",
    "review": "pictures and report",
}
"""What a step is called where people watch it."""


def fingerprints(
    kind: Kind, settings: Common, spacing: float, slides: Iterable[SlideRecord], rejected: Mapping[str, str]
) -> dict[str, str]:
    """Step -> what decides its results: the settings it reads and everything before it.

    The steps of `convert` look at one slide each, so adding a slide leaves them as they are. Samples come from all slides
    that were not rejected until then (`rejected`: slide -> step that found it out), numbers from all that were applied.
    """
    out: dict[str, str] = {}
    before = digest("convert", spacing if kind.images == "slides" else 0.0, VERSION)  # volumes keep their own
    cohort = list(slides)
    for name, step in kind.steps.items():
        if name in COHORT:
            here = [s for s in cohort if not rejects_before(kind, rejected.get(s.id), name)]
            before = digest(before, [(s.key, s.group) for s in here])
        if name in TOLD:
            before = digest(before, [(s.id, TOLD[name](s, settings)) for s in cohort])
        if name == "prepare":
            before = digest(before, [_content(p) for p in (settings.deciding(("mask", "template"))).values()])
        before = digest(name, before, settings.deciding(step.fields))
        out[name] = before
    return out


def _content(path: str) -> str:
    """What tells a file that a setting names from a changed one."""
    return fingerprint(place(path)) if path not in ("", "head", "given", "none") else ""


def rejects_before(kind: Kind, found: str | None, step: str) -> bool:
    """Whether a slide that was rejected by the step `found` is missing when `step` begins."""
    order = ["open", *kind.steps]
    return found is not None and order.index(found) < order.index(step)
