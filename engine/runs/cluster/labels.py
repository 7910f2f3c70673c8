"""labels: the shown clusters as an integer label of every image, from the fine clusters that `apply` stored."""

from __future__ import annotations

from typing import Any

from ....stores.image import StoredImage, begin_groups, image_label, list_labels
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.apply import groups_written
from ...steps.convert.labels import write_labels
from .settings import ClusterSettings
from .shown import ShownClusters, shown_clusters


def write_cluster_labels(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Write labels/clusters of one image, with the clusters' names and colours."""
    outcome = Outcome()
    slide, shown = unit.slide, shown_clusters(job)
    with outcome.clock("read"):
        fine = StoredImage.open(job.folder.layer(slide, "assignment"))
        labels = shown.number[fine.read(fine.frames[0].box)[0]]
    with outcome.clock("write"):
        outcome.files += write_labels(
            job,
            slide,
            "clusters",
            labels=labels,
            frame=fine.frames[0],
            label=image_label(shown.colour_of, cluster_properties(shown, slide)),
        )
        begin_groups(job.folder.slide(slide))  # a repair of this unit may find the list of layers removed
        list_labels(job.folder.slide(slide), ["tissue", "clusters"])
        outcome.files += groups_written(job, slide)
    return outcome


def cluster_properties(shown: ShownClusters, slide: str) -> list[dict[str, Any]]:
    """Properties of each cluster in an image's label: name, tiles, and share of the image's tissue tiles."""
    tiles = shown.slides[slide]
    total = max(1, sum(tiles))
    return [
        {"label-value": i, "class": name, "tiles": n, "share": round(n / total, 6)}
        for i, name, n in zip(shown.numbers, shown.names, tiles, strict=True)
    ]
