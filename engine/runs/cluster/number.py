"""number: clusters are numbered by their share of all tissue tiles and written as labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....stores.frame import Array
from ....stores.image import image_label
from ....stores.receipts import Ledger
from ...pipeline.documents import read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.palette import palette
from ...steps.apply import TILES, cell_frames, clusters, finish_layers, layer_image
from ...steps.checkpoints import write_document
from ...steps.convert.geometry import reference_of
from ...steps.convert.labels import write_labels
from .documents import CLUSTERS, Clusters
from .settings import ClusterSettings


def order_clusters(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Number the clusters of the run by their share of all its tissue tiles."""
    counts = {slide: counted(job, slide) for slide in job.slides}
    total: Array = np.stack([*counts.values()]).sum(0)
    order = np.argsort(-total, kind="stable")
    document = Clusters(
        order=tuple(order.tolist()),
        tiles=tuple(total[order].tolist()),
        shares=tuple((total[order] / max(1, total.sum())).tolist()),
        slides={slide: tuple(c[order].tolist()) for slide, c in counts.items()},
    )
    outcome = Outcome(files=[write_document(job, CLUSTERS, document)])
    outcome.facts["tiles"] = int(total.sum())
    outcome.facts["smallest_share"] = round(document.shares[-1], 6)
    return outcome


def counted(job: Job[ClusterSettings], slide: str) -> Array:
    """Number of a slide's tiles per cluster of the network, int64 (cluster,), from the receipts of its units."""
    out = np.zeros(clusters(job), np.int64)
    for receipt in Ledger(job.folder.out, TILES, job.ledger_key(TILES, slide)).all(slide):
        out += np.asarray(receipt.facts["counts"], np.int64)
    return out


def write_clusters(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Write one slide's clusters with their final numbers as a label pyramid; the metadata is written last."""
    outcome = Outcome()
    slide, reference = unit.slide, reference_of(job.slides[unit.slide].frame)
    with outcome.clock("read"):
        assignment = layer_image(job, slide, "assignment").levels[0].read_all()[0]
    with outcome.clock("compute"):
        labels = numbering(job)[assignment]
        label = image_label(dict(enumerate(palette(clusters(job)), 1)), cluster_properties(job, slide))
    with outcome.clock("write"):
        frames = cell_frames(job, slide)
        outcome.files += write_labels(
            job, slide, "clusters", labels=labels, frames=frames, label=label, reference=reference
        )
        outcome.files += finish_layers(job, slide, ["clusters", "tissue"])
    return outcome


def clusters_document(job: Job[ClusterSettings]) -> Clusters:
    """models/clusters.json. Raises CorruptError if it does not exist."""
    return read_document(job.folder, CLUSTERS, Clusters)


def numbering(job: Job[ClusterSettings]) -> Array:
    """Lookup table, uint8: the network's index + 1 -> number of the cluster; 0 (no tissue) stays 0."""
    order = clusters_document(job).order
    table = np.zeros(len(order) + 1, np.uint8)
    table[np.asarray(order) + 1] = np.arange(1, len(order) + 1)
    return table


def cluster_properties(job: Job[ClusterSettings], slide: str) -> list[dict[str, Any]]:
    counts = clusters_document(job).slides[slide]
    total = max(1, sum(counts))
    return [
        {"label-value": i, "class": f"cluster {i}", "tiles": n, "share": round(n / total, 6)}
        for i, n in enumerate(counts, 1)
    ]
