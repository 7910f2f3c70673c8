"""ahead: modules that later steps need, imported while the number of clusters is sought: that leaves a core free."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Thread

from ...pipeline.job import Job
from .settings import ClusterSettings

UMAP_MODULE = "....models.evaluation.projection"
"""Which of the modules the UMAP alone needs."""
MODULES = (
    "igraph",
    UMAP_MODULE,
    "anndata",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
)
"""In the order of the steps that need them."""


def import_ahead(job: Job[ClusterSettings]) -> None:
    """Begin to import them in a thread. The process ends after the thread, not in the middle of an import: it is no daemon."""
    names = [name for name in MODULES if job.settings.umap or name != UMAP_MODULE]
    Thread(target=_import, args=(names,), name="import-ahead").start()


def _import(names: list[str]) -> None:
    for name in names:
        with suppress(Exception):  # the step that needs the module fails with the same error, and says so
            import_module(name, __package__)
