"""ahead: modules that later steps need, imported while the number of clusters is sought: that leaves a core free."""

from __future__ import annotations

from threading import Thread

from ...pipeline.job import Job
from .settings import ClusterSettings


def import_ahead(job: Job[ClusterSettings]) -> Thread:
    """Begin to import them in a thread, in the order of the steps that need them; returns the thread.

    The process ends after the thread, not in the middle of an import: it is no daemon.
    """
    thread = Thread(target=_import, args=(job.settings.umap,), name="import-ahead")
    thread.start()
    return thread


def _import(umap: bool) -> None:
    from ....models.clustering import communities
    from ...show import figure

    communities.load_functions()
    if umap:
        from ....models.evaluation import projection

        _ = projection
    import anndata

    _ = anndata
    figure.load_functions()
