"""division: the clusters are divided into fine clusters, and all are one tree; the network that `apply` runs."""

from __future__ import annotations

from functools import partial

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.autoencoder import all_patches
from ...steps.checkpoints import device_of, load_network, read_record, save_model, stated_weights
from .documents import CLUSTERER, FINE_TUNED, KEPT_FINE_TUNED, ClustererRecord, FineTunedRecord
from .heads import CODES_BATCH
from .number import embeddings_of
from .settings import ClusterSettings


def divide_clusters(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Divide the clusters into at most 32 fine clusters by the embeddings of the sampled patches."""
    import torch

    from ....models.clustering.components import PrincipalSpace
    from ....models.clustering.division import divide
    from ....models.networks.centre_head import FineClusters
    from ....models.training.encoding import encode_views

    outcome = Outcome()
    with outcome.clock("read"):
        path = job.folder.model(FINE_TUNED)
        autoencoder, clusterer = load_network(path, stated_weights(path.with_suffix(".json")))
        assert clusterer is not None, "the model of this step always has a head"
        is_tuned = read_record(job, FINE_TUNED, FineTunedRecord).guards.kept == KEPT_FINE_TUNED
        found = all_patches(job) if is_tuned else embeddings_of(job)
    with outcome.clock("compute"):
        torch.set_num_threads(job.settings.threads)
        if is_tuned:
            embeddings = encode_views(autoencoder.to(device_of(job)), found, views=1, batch=CODES_BATCH)[0]
        else:  # the encoder is that by which they were embedded
            embeddings = torch.from_numpy(found)
        with torch.inference_mode():
            labels: Array = clusterer.head.cpu()(embeddings).argmax(-1).numpy()
        space = PrincipalSpace.of(embeddings.numpy())
        points = space.coordinates(embeddings.numpy())
        division = divide(points, labels, clusterer.head.clusters, job.settings.seed)
        clusterer.fine = FineClusters(embeddings.shape[1], len(division.parents))
        clusterer.fine.set_centres(space.mean, space.scale, space.standardised(division.places), division.parents)
        clusterer.fine.set_radius(embeddings, torch.from_numpy(division.labels))
    with outcome.clock("write"):
        record = partial(
            ClustererRecord,
            history=(),
            merges=tuple((m.first, m.second, m.height) for m in division.merges),
            patches=tuple(np.bincount(division.labels, minlength=len(division.parents)).tolist()),
            centres=tuple(tuple(row) for row in division.places.round(4).tolist()),
        )
        outcome.files += save_model(job, CLUSTERER, clusterer, record)
    outcome.facts["fine"] = len(division.parents)
    return outcome
