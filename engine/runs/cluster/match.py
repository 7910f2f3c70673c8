"""match: clusters take the numbers, colours and names of the clusters of an old run that they correspond to.

Evidence are the slides that both runs have: tiles that lie in both clusters. Without such slides a match is refused.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np

from ....errors import SettingsError
from ....stores.folder import Folder
from ....stores.frame import Array, Frame
from ....stores.image import StoredImage
from ....stores.remote import to_path
from ...pipeline.documents import find_document, read_images
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings
from ...pipeline.unit import Outcome, Unit
from ...show.spreadsheet import plain
from ...steps.checkpoints import write_document
from .documents import Clusters
from .numbering import MAX_NUMBER, NUMBERING, MatchedCluster, Numbering, unused_colour, unused_numbers
from .old_run import Match
from .settings import ClusterSettings
from .trained import ORIGIN_NUMBERING
from .tree import clusters_document


@dataclass(frozen=True, slots=True)
class OldClusters:
    """The clusters that an old run shows, in the order of their numbers."""

    folder: Folder
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    colours: tuple[str, ...]


def match_clusters(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Write the numbers, names and colours of the tree's clusters."""
    outcome, tree = Outcome(), clusters_document(job)
    if not job.settings.match:
        taken = find_document(job.folder, ORIGIN_NUMBERING, Numbering)
        numbering = taken.alone if taken else Numbering.own(tree)
    else:
        with outcome.clock("read"):
            old = old_clusters(job)
            slides = shared_slides(job, old.folder)
            overlap = sum(overlap_of(job, slide, tree, old) for slide in slides)
        with outcome.clock("compute"):
            numbering = numbered_as(tree, old, np.asarray(overlap), slides)
    with outcome.clock("write"):
        outcome.files.append(write_document(job, NUMBERING, numbering))
    outcome.facts["matched"] = len(numbering.matched)
    return outcome


def check_match(job: Job[RunSettings], match: Match) -> None:
    """Raises SettingsError (E_MATCH) where the old run has no slide of this run, or is this run."""
    if not match:
        return
    path = to_path(match[0])
    if path == job.folder.out:
        raise SettingsError(f"--match {path} is the run itself: name the folder of another run.", "E_MATCH")
    if not shared_slides(job, Folder(path, job.folder.images)):
        raise SettingsError(
            f"--match {path}: no image of this run is one of that run's, so nothing shows which clusters correspond. "
            f"Cluster images that both have, or use the old run's networks: `tile-engine apply {path} --slides ...`.",
            "E_MATCH",
        )


def old_clusters(job: Job[ClusterSettings]) -> OldClusters:
    """The clusters of the run that the settings name, from its clusters.csv."""
    folder = Folder(to_path(job.settings.match[0]), job.folder.images)
    try:
        text = (folder.out / "clusters.csv").read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"--match {folder.out}: clusters.csv of that run cannot be read ({error}). Repeat the run there, or leave out "
            "--match.",
            "E_MATCH",
        ) from error
    rows = list(csv.DictReader(text.splitlines()))
    names, colours = tuple(plain(row["name"]) for row in rows), tuple(row["colour"] for row in rows)
    return OldClusters(folder, tuple(int(row["cluster"]) for row in rows), names, colours)


def shared_slides(job: Job[RunSettings], old: Folder) -> tuple[str, ...]:
    """Images of this run that the old run has labelled, by id; an image of another size is another one."""
    images = read_images(old)
    return tuple(
        slide
        for slide, record in job.slides.items()
        if slide in images
        and images[slide].native_shape == record.native_shape
        and (old.label(slide, "clusters") / "zarr.json").exists()
    )


def overlap_of(job: Job[ClusterSettings], slide: str, tree: Clusters, old: OldClusters) -> Array:
    """Tiles of one image by number at the finest level and cluster of the old run (J, O), int64.

    A tile lies in the old cluster that its middle lies in, whatever the strides of the two runs.
    """
    own = StoredImage.open(job.folder.layer(slide, "assignment"))
    other = StoredImage.open(old.folder.label(slide, "clusters"))
    fine = own.read(own.frames[0].box)[0]
    labels = other.read(other.frames[0].box)[0][np.ix_(*nearest_cells(own.frames[0], other.frames[0]))]
    both = (fine > 0) & np.isin(labels, old.numbers)
    table = np.zeros((tree.finest, len(old.numbers)), np.int64)
    numbers = np.asarray(tree.numbers)[fine[both].astype(int) - 1]
    np.add.at(table, (numbers - 1, np.searchsorted(old.numbers, labels[both])), 1)
    return table


def nearest_cells(own: Frame, other: Frame) -> list[Array]:
    """Index along each axis of the other frame's cell that the middle of each cell lies in; at an edge, the last one."""
    axes = zip(own.shape, own.spacing, own.origin, other.shape, other.spacing, other.origin, strict=True)
    return [
        np.clip(((o + (np.arange(n) + 0.5) * s - other_o) / other_s).astype(int), 0, other_n - 1)
        for n, s, o, other_n, other_s, other_o in axes
    ]


def numbered_as(tree: Clusters, old: OldClusters, overlap: Array, slides: tuple[str, ...]) -> Numbering:
    """The tree's clusters under the old run's numbers, colours and names; clusters without a counterpart get unused ones."""
    from ....models.clustering.correspondence import correspond, united

    level = tree.finest if tree.recommended == 1 else min(tree.recommended, tree.finest)
    finer = min(max(level, len(old.numbers)), tree.finest)
    found = {c.cluster: c for c in correspond(overlap, tree.parents, sorted({level, finer}))}
    rest = [n for n in range(1, tree.finest + 1) if n not in found]
    numbers = {n: old.numbers[c.other] for n, c in found.items()}
    numbers |= dict(zip(rest, unused_numbers(len(rest), old.numbers), strict=True))
    if max(numbers.values()) > MAX_NUMBER:
        raise SettingsError(
            f"--match {old.folder.out}: its numbers go up to {max(old.numbers)}, and {len(rest)} clusters of this run need "
            f"others, but labels have numbers up to {MAX_NUMBER}. Match an older run of the series.",
            "E_MATCH",
        )
    names = {n: old.names[c.other] for n, c in found.items()} | {n: f"cluster {numbers[n]}" for n in rest}
    colours = {n: old.colours[c.other] for n, c in found.items()}
    for n in rest:
        colours[n] = unused_colour(numbers[n], {*old.colours, *colours.values()})
    table, taken = united(overlap, tree.parents, level), {c.other for c in found.values()}
    same = sum(int(table[n - 1, c.other]) for n, c in found.items() if n <= level)
    return Numbering(
        numbers=tuple(numbers[n] for n in sorted(numbers)),
        names=tuple(names[n] for n in sorted(names)),
        colours=tuple(colours[n] for n in sorted(colours)),
        run=str(old.folder.out),
        slides=slides,
        tiles=int(overlap.sum()),
        level=level,
        same=same / max(1, int(overlap.sum())),
        matched=tuple(
            MatchedCluster(
                number=numbers[n], level=max(n, level), share=round(c.share, 4), other_share=round(c.other_share, 4)
            )
            for n, c in sorted(found.items(), key=lambda pair: numbers[pair[0]])
        ),
        missing=tuple(name for o, name in enumerate(old.names) if o not in taken and overlap[:, o].any()),
    )
