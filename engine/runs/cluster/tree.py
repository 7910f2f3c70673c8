"""tree: the tree of clusters, numbered from the top down by the tissue tiles of each cluster."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ....stores.frame import Array
from ....stores.receipts import Ledger
from ...pipeline.documents import find_document, read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.palette import hexadecimal, palette
from ...steps.apply import TILES, clusters
from ...steps.checkpoints import read_record, write_document
from .documents import CLUSTERER, CLUSTERS, VALIDITY, ClustererRecord, Clusters, Validity
from .settings import ClusterSettings
from .trained import ORIGIN


def order_clusters(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Number the clusters of every level by their tissue tiles: where a cluster splits, the larger part keeps its number."""
    counts, unlike = {}, {}
    for slide in job.slides:
        counts[slide], unlike[slide] = counted(job, slide)
    total: Array = np.stack([*counts.values()]).sum(0)
    tree = find_document(job.folder, ORIGIN, Clusters) or _tree(job, total)  # a tree that was taken over stays as it is
    order = np.argsort(tree.numbers)  # number - 1 -> fine cluster
    slides = {slide: tuple(c[order].tolist()) for slide, c in counts.items()}
    document = tree.model_copy(
        update={
            "tiles": tuple(total[order].tolist()),
            "slides": slides,
            "unlike": unlike,
            "in_float32": in_float32(job),
        }
    )
    outcome = Outcome(files=[write_document(job, CLUSTERS, document)])
    outcome.facts["tiles"] = int(total.sum())
    outcome.facts["fine"] = document.finest
    if document.in_float32[0]:
        outcome.notes.append(" ".join(precision_text(document)))
    return outcome


def _tree(job: Job[ClusterSettings], total: Array) -> Clusters:
    """The tree of the clusters of this run's network, by the tiles of each fine cluster; without tiles yet."""
    from ....models.clustering.tree import Merge, numbered

    merges = [Merge(*merge) for merge in read_record(job, CLUSTERER, ClustererRecord).merges]
    validity = read_document(job.folder, VALIDITY, Validity)
    numbers, parents = numbered(merges, total.tolist())
    return Clusters(
        numbers=tuple(numbers.tolist()),
        parents=tuple(parents.tolist()),
        recommended=validity.k,
        trained=validity.clusters,
        names=tuple(f"cluster {n}" for n in range(1, len(parents) + 1)),
        colours=tuple(map(hexadecimal, palette(len(parents)))),
        tiles=(),
        slides={},
        unlike={},
    )


def counted(job: Job[ClusterSettings], slide: str) -> tuple[Array, int]:
    """(a slide's tiles per fine cluster of the network, int64, those unlike the training set), from its units' receipts."""
    tiles, unlike = np.zeros(clusters(job), np.int64), 0
    for receipt in Ledger(job.folder.out, TILES, job.ledger_key(TILES, slide)).all(slide):
        tiles += np.asarray(receipt.facts["counts"], np.int64)
        unlike += int(receipt.facts["unlike"])
    return tiles, unlike


def in_float32(job: Job[ClusterSettings]) -> tuple[int, int]:
    """(tiles that were computed in float32 beside bf16, those of the same fine cluster); zeros of a run in float32."""
    receipts = (r for s in job.slides for r in Ledger(job.folder.out, TILES, job.ledger_key(TILES, s)).all(s))
    pairs = [receipt.facts.get("in_float32", (0, 0)) for receipt in receipts]
    return sum(int(compared) for compared, _ in pairs), sum(int(same) for _, same in pairs)


def precision_text(document: Clusters) -> tuple[str, str]:
    """(headline, sentence) about a network that was applied in bf16."""
    compared, same = document.in_float32
    return (
        "The network was applied in bf16.",
        f"In float32, {same:,} of {compared:,} tiles ({same / compared:.1%}) have the same cluster of the finest level.",
    )


def clusters_document(job: Job[ClusterSettings]) -> Clusters:
    """The tree of clusters, with the tissue tiles of the images in use."""
    return of_images(read_document(job.folder, CLUSTERS, Clusters), job.slides)


def of_images(tree: Clusters, images: Collection[str]) -> Clusters:
    """The tree with the tissue tiles of these images: not of those that a later step rejected."""
    if tree.slides.keys() <= set(images):
        return tree
    slides = {image: tiles for image, tiles in tree.slides.items() if image in images}
    unlike = {image: tiles for image, tiles in tree.unlike.items() if image in images}
    total = tuple(map(sum, zip(*slides.values(), strict=True)))
    return tree.model_copy(update={"tiles": total, "slides": slides, "unlike": unlike})
