"""Maintenance: the commands that inspect images, runs and machines, and repair a run."""

from __future__ import annotations

from typing import Annotated

import typer

from ..engine.pipeline.option import READ, WRITE
from .from_settings import AsJson, Given, OutArgument, Quiet

PathArgument = Annotated[
    str,
    typer.Argument(
        metavar="PATH", help="A slide, a folder or list of slides, a store, or a run's folder.", show_default=False
    ),
]
Full = Annotated[
    bool, typer.Option("--full", help="Read every byte: checksums, and every chunk decoded.", rich_help_panel=READ)
]
TriedOut = Annotated[
    str | None,
    typer.Option(
        "--out", help="Folder for results to check: whether it can be written, and how fast.", rich_help_panel=WRITE
    ),
]
DemoOut = Annotated[str, typer.Option("--out", help="Folder for the demo's images and results.", rich_help_panel=WRITE)]
DemoKind = Annotated[str, typer.Option("--kind", metavar="slides|brains", help="Images to make.", rich_help_panel=READ)]


def info(path: PathArgument, settings: Given, json: AsJson = False) -> int:
    """Describe a slide, a volume, a store or a run: levels, spacing, size, reader, and unusual properties.

    Of a folder or a list: a line for each image in it."""
    from ..engine.maintenance.describe import describe
    from .tell import print_description

    return print_description(describe(path, settings.get("mpp"), settings.get("part") or ""), as_json=json)


def status(out: OutArgument, json: AsJson = False) -> int:
    """Show the progress of a run: its steps, its rejected images, and the process that owns it."""
    from ..engine.maintenance.status import statuses
    from .tell import print_status

    return max(print_status(one, as_json=json) for one in statuses(out))


def verify(out: OutArgument, cluster: Given, full: Full = False, json: AsJson = False) -> int:
    """Check that every file of a run exists and is unchanged; each damaged file is listed with its array, shard and image."""
    from ..engine.maintenance.every_run import verify_all
    from ..engine.workers.placement import ClusterOptions
    from .display import watched
    from .tell import print_finding, print_verdicts

    with watched("stopped; it changed nothing.", as_json=json, quiet=True):
        where = ClusterOptions(**cluster)
        verdicts = verify_all(out, full=full, cluster=where, found=lambda f: print_finding(f, as_json=json))
        return print_verdicts(verdicts, as_json=json)


def repair(out: OutArgument, cluster: Given, run: Given, json: AsJson = False, quiet: Quiet = False) -> int:
    """Repeat the units whose files are damaged, and nothing else: on a CPU the files come back byte for byte."""
    from ..engine.maintenance.every_run import repair_all
    from ..engine.runtime.options import RunOptions
    from ..engine.workers.placement import ClusterOptions
    from .display import watched
    from .tell import print_repairs

    with watched(as_json=json, quiet=quiet) as show:
        options = RunOptions(cluster=ClusterOptions(**cluster), report=show, **run)
        return print_repairs(repair_all(out, options=options), as_json=json)


def doctor(cluster: Given, out: TriedOut = None, json: AsJson = False) -> int:
    """Check this machine, a folder for results and the workers before a run: what works, and what does not."""
    from ..engine.maintenance.doctor import examine
    from ..engine.workers.placement import ClusterOptions
    from .display import watched
    from .tell import print_checks

    with watched("stopped; it changed nothing.", as_json=json, quiet=True):
        return print_checks(examine(ClusterOptions(**cluster), out), as_json=json)


def demo(out: DemoOut = "demo", kind: DemoKind = "slides", json: AsJson = False, quiet: Quiet = False) -> int:
    """Make four small slides from a public tissue section and run `cluster` on them: about a minute on two cores.

    With `--kind brains`: sixteen small drawn heads of two classes and two sites, and `embed` on them.
    """
    from pathlib import Path

    from ..engine.api.running import run
    from ..engine.maintenance.demo import RESULTS, demo_images, demo_of
    from ..engine.runtime.options import RunOptions
    from .display import watched
    from .tell import print_result

    chosen = demo_of(kind)
    images = demo_images(Path(out), chosen)
    with watched(as_json=json, quiet=quiet) as show:
        done = run(
            chosen.run,
            {chosen.images: images},
            Path(out) / RESULTS,
            options=RunOptions(report=show),
            settings=chosen.settings,
        )
    return print_result(done, as_json=json)
