"""tile-engine: from whole-slide images to maps of what is in them and where.

```python
run = tile_engine.cluster("slides/", "out/", k=14)
run.layers("clusters")["slide-1a2b3c4d"].plot()
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .version import VERSION as __version__  # noqa: N811 - the name that Python asks for

if TYPE_CHECKING:
    from .engine.api.commands import anomaly, classify, cluster, embed, harmonize, register, sites
    from .engine.api.evaluations import compare_evaluations
    from .engine.api.run import Run, open_run
    from .engine.api.running import relabel
    from .engine.api.stain_runs import StainRuns
    from .engine.export.export import ExportChoices, Exported, export
    from .engine.export.warp_file import WarpedFile, warp_file
    from .engine.runtime.options import RunOptions
    from .engine.search.hits import Hits
    from .engine.search.search import search
    from .engine.workers.placement import ClusterOptions

__all__ = [
    "ClusterOptions",
    "ExportChoices",
    "Exported",
    "Hits",
    "Run",
    "RunOptions",
    "StainRuns",
    "WarpedFile",
    "__version__",
    "anomaly",
    "classify",
    "cluster",
    "compare_evaluations",
    "embed",
    "export",
    "harmonize",
    "open_run",
    "register",
    "relabel",
    "search",
    "sites",
    "warp_file",
]

_HOMES = {
    "ClusterOptions": ".engine.workers.placement",
    "ExportChoices": ".engine.export.export",
    "Exported": ".engine.export.export",
    "Hits": ".engine.search.hits",
    "Run": ".engine.api.run",
    "RunOptions": ".engine.runtime.options",
    "StainRuns": ".engine.api.stain_runs",
    "WarpedFile": ".engine.export.warp_file",
    "anomaly": ".engine.api.commands",
    "classify": ".engine.api.commands",
    "cluster": ".engine.api.commands",
    "compare_evaluations": ".engine.api.evaluations",
    "embed": ".engine.api.commands",
    "export": ".engine.export.export",
    "harmonize": ".engine.api.commands",
    "open_run": ".engine.api.run",
    "register": ".engine.api.commands",
    "relabel": ".engine.api.running",
    "search": ".engine.search.search",
    "sites": ".engine.api.commands",
    "warp_file": ".engine.export.warp_file",
}


def __getattr__(name: str) -> Any:
    """Public names are fetched when they are first used: importing tile_engine stays light."""
    from importlib import import_module

    if name == "errors":
        return import_module(".errors", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module 'tile_engine' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    """The public names, so that a shell completes those that were not fetched yet."""
    return sorted({*globals(), *__all__, "errors"})
