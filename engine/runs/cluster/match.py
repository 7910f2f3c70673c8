"""match: clusters take the numbers, colours and names of the clusters of an old run that they correspond to.

Evidence are the slides that both runs have: tiles that lie in both clusters. Without such slides a match is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote

import numpy as np

from ....errors import SettingsError
from ....stores.cells import LabelCells
from ....stores.folder import Folder
from ....stores.frame import Array, Frame
from ....stores.image import StoredImage
from ....stores.remote import to_path
from ....stores.slides.file_marks import may_be_same
from ...pipeline.documents import find_document, find_run
from ...pipeline.image_documents import read_images
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from .documents import Clusters
from .numbering import MAX_NUMBER, NUMBERING, Numbering, unused_colour, unused_numbers
from .old_clusters import OldClusters, read_old_clusters
from .settings import ClusterSettings, ShownSettings, TrainedSettings
from .tree import clusters_document


@dataclass(frozen=True, slots=True)
class SharedSlides:
    """Images of a run that an old run has labelled."""

    ids: tuple[str, ...]
    others: tuple[str, ...] = ()
    """Names of images that the old run has under the same name, but of another size or content: they are no evidence."""


def match_clusters(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Write the numbers, names and colours of the tree's clusters."""
    outcome = Outcome()
    with outcome.clock("read"):
        numbering = numbering_to_be(job, clusters_document(job))
    with outcome.clock("write"):
        outcome.files.append(write_document(job, NUMBERING, numbering))
    outcome.facts["matched"] = len(numbering.matched)
    return outcome


def numbering_to_be(job: Job[ShownSettings], tree: Clusters) -> Numbering:
    """The numbering of the tree under the settings: by the old run, else as the trained run has it, else the tree's own.

    Raises SettingsError (E_MATCH) as `check_match`, and where the numbers do not suffice.
    """
    if not job.settings.match:
        taken = trained_numbering(job.settings)
        return taken.alone if taken and taken.fits(tree) else Numbering.own(tree)
    old, slides = check_match(job)
    overlap: Array = np.sum([overlap_of(job, slide, tree, old) for slide in slides.ids], axis=0)
    return numbered_as(tree, old, overlap, slides)


def trained_numbering(settings: ShownSettings) -> Numbering | None:
    """The numbering of the run whose networks were taken over; None without such a run, or where its maps were not made."""
    trained = settings.trained if isinstance(settings, TrainedSettings) else ""
    return find_document(Folder(to_path(trained).parent.parent), NUMBERING, Numbering) if trained else None


def is_matched(job: Job[ShownSettings]) -> bool:
    """Whether OUT holds the numbering under this setting already: the old run is not read again, and may be gone."""
    run = find_run(job.folder)
    step = run.steps.get("match") if run else None
    recorded = tuple(run.settings.get("match") or ()) if run else ()
    return step is not None and step.status == "complete" and recorded == job.settings.match


def check_match(job: Job[ShownSettings]) -> tuple[OldClusters, SharedSlides]:
    """The old run's clusters, and the images that both runs have.

    Raises SettingsError (E_MATCH) where the old run is this run, is gone or damaged, or has no image of this run.
    """
    path = to_path(job.settings.match[0])
    if path == job.folder.out:
        raise SettingsError(f"--match {path} is the run itself: name the folder of another run.", "E_MATCH")
    old = read_old_clusters(Folder(path, job.folder.images))
    slides = shared_slides(job, old.folder)
    if not slides.ids:
        named = f" ({len(slides.others)} have the same name, but another size or content)" if slides.others else ""
        raise SettingsError(
            f"--match {path}: no image of this run is one of that run's{named}, so nothing shows which clusters correspond. "
            "Cluster images that both have, or use the old run's networks: "
            f"`tile-engine apply {quote(str(path))} --slides ...`.",
            "E_MATCH",
        )
    return old, slides


def shared_slides(job: Job[RunSettings], old: Folder) -> SharedSlides:
    """Images of this run that the old run has labelled, by name, size and content; a file's folder and time do not count."""
    images, ids, others = read_images(old), list[str](), list[str]()
    for slide, record in job.slides.items():
        if slide in images and (old.label(slide, "clusters") / "zarr.json").exists():
            other = images[slide]
            is_same = other.native_shape == record.native_shape and may_be_same(other.fingerprint, record.fingerprint)
            (ids if is_same else others).append(slide if is_same else record.name)
    return SharedSlides(tuple(ids), tuple(others))


def overlap_of(job: Job[ShownSettings], slide: str, tree: Clusters, old: OldClusters) -> Array:
    """Tiles of one image by number at the finest level and cluster of the old run (J, O), int64.

    A tile lies in the old cluster that its middle lies in, whatever the strides of the two runs.
    """
    own = StoredImage.open(job.folder.layer(slide, "assignment"))
    other = LabelCells.open(old.folder.label(slide, "clusters"))
    fine = own.read(own.frames[0].box)[0]
    labels = other.read_all()[np.ix_(*nearest_cells(own.frames[0], other.frame))]
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


def numbered_as(tree: Clusters, old: OldClusters, overlap: Array, slides: SharedSlides) -> Numbering:
    """The tree's clusters under the old run's numbers, colours and names; clusters without a counterpart get unused ones."""
    from ....models.clustering.correspondence import correspond

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
    taken = {c.other for c in found.values()}
    unmatched = [o for o in range(len(old.numbers)) if o not in taken]
    return Numbering(
        numbers=tuple(numbers[n] for n in sorted(numbers)),
        names=tuple(names[n] for n in sorted(names)),
        colours=tuple(colours[n] for n in sorted(colours)),
        run=str(old.folder.out),
        slides=slides.ids,
        others=slides.others,
        level=level,
        old=old.numbers,
        overlap=tuple(map(tuple, overlap.tolist())),
        matched=tuple(sorted(numbers[n] for n in found)),
        missing=tuple(old.names[o] for o in unmatched if overlap[:, o].any()),
        unseen=tuple(old.names[o] for o in unmatched if not overlap[:, o].any()),
    )
