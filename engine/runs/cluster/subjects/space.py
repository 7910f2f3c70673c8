"""space: subjects as points: the strongest principal components of the means of their volumes' embeddings."""

from __future__ import annotations

from .....stores.frame import Array
from ....pipeline.job import Job
from .cases import Subjects
from .embed import volume_embeddings
from .settings import SubjectSettings

MAX_AXES = 12
"""Components of the space, at most: with few subjects, weaker ones are noise."""


def subject_embeddings(job: Job[SubjectSettings], subjects: Subjects) -> Array:
    """The mean embedding of each subject's volumes, float64 (subjects, F)."""
    return subjects.means(volume_embeddings(job))


def points_of(embeddings_SF: Array) -> Array:
    """Coordinates of the subjects, float64 (subjects, components)."""
    from .....models.clustering.components import PrincipalSpace

    return PrincipalSpace.unscaled(embeddings_SF, most=MAX_AXES).coordinates(embeddings_SF)
