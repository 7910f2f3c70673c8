"""Runs: the commands that start a run or execute one of its stages, and print the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..engine.pipeline.option import READ, WRITE
from .export import NGFF, Ngff, export
from .from_settings import AsJson, Config, DryRun, Given, Out, OutArgument, Quiet
from .say import say

if TYPE_CHECKING:
    from ..engine.api.run import Run
    from ..engine.api.stain_runs import StainRuns
    from ..engine.pipeline.command import Command
    from ..engine.runtime.options import RunOptions

AGAIN = "The same command resumes where it stopped. Changed settings or images are refused with a diff unless --redo is given."

Unnamed = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGES",
        help="Images, as the options below take them; without such an option, their kind is found by what they are.",
        show_default=False,
    ),
]
Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGES",
        help="Folder, glob, files, or a list (CSV, TSV, XLSX) with a column `path`. Slides, unless they can only be others, or "
        "an option says which they are.",
        show_default=False,
    ),
]
AreSlides = Annotated[
    bool, typer.Option("--slides", help="These are slides; other files are left out.", rich_help_panel=READ)
]
AreVolumes = Annotated[
    bool, typer.Option("--volumes", help="These are volumes (NIfTI, DICOM, ...).", rich_help_panel=READ)
]
AreFilms = Annotated[bool, typer.Option("--films", help="These are films (radiographs).", rich_help_panel=READ)]
AreSections = Annotated[
    bool, typer.Option("--sections", help="These are sections of blocks, to be registered.", rich_help_panel=READ)
]
Level = Annotated[
    str | None,
    typer.Option(
        "--k",
        metavar="K",
        rich_help_panel=WRITE,
        help="Clusters to show: 2 to the finest level, or auto for the recommended one.",
    ),
]
NewSlides = Annotated[
    list[str] | None,
    typer.Option("--slides", metavar="PATH...", help="Other slides, for a new run.", rich_help_panel=READ),
]
NewVolumes = Annotated[
    list[str] | None,
    typer.Option("--volumes", metavar="PATH...", help="Other volumes, for a new run.", rich_help_panel=READ),
]
NewFilms = Annotated[
    list[str] | None,
    typer.Option("--films", metavar="PATH...", help="Other films, for a new run.", rich_help_panel=READ),
]
More = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGES",
        help="Further images of a new run, with --slides, --volumes, --films or --sections.",
        show_default=False,
    ),
]
NewSections = Annotated[
    list[str] | None,
    typer.Option("--sections", metavar="PATH...", help="Other blocks, for a new run.", rich_help_panel=READ),
]
NewOut = Annotated[
    str | None,
    typer.Option(
        "--out", metavar="FOLDER", help="Folder of the new run [default: ./<folder>-tiles].", rich_help_panel=WRITE
    ),
]


def help_of(command: Command) -> str:
    """Help text of a run: summary, details and an example."""
    example = f"Example: `{command.example}`" if command.example else ""
    about = " ".join(filter(None, (command.about, AGAIN)))
    return "\n\n".join(filter(None, (command.summary, about, example)))


def begin(
    name: str,
    images: Given,
    settings: Given,
    cluster: Given,
    run: Given,
    unnamed: Unnamed = None,
    config: Config = None,
    out: Out = None,
    dry_run: DryRun = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Execute all stages of a run, or those named in `run`."""
    from ..engine.api import running
    from ..engine.pipeline.command import UNNAMED
    from .display import watched

    images = {kind: files[0] if len(files) == 1 else files for kind, files in images.items()}
    images |= {UNNAMED: unnamed} if unnamed else {}
    if config:
        images, stated, settings = running.with_file(name, config, images, out, settings)
        out = str(stated) if stated else None
    if dry_run:
        return _plan(name, images, settings, cluster, run, out, as_json=json, quiet=quiet)
    with watched(as_json=json, quiet=quiet) as show:
        options = _options(cluster, run, show)
        return print_run(running.run(name, images, out, options=options, settings=settings), as_json=json)


def convert(
    images: Paths,
    settings: Given,
    cluster: Given,
    run: Given,
    slides: AreSlides = False,
    volumes: AreVolumes = False,
    films: AreFilms = False,
    sections: AreSections = False,
    ngff: Ngff = "0.5",
    out: Out = None,
    dry_run: DryRun = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Slides or volumes to OME-Zarr 0.5: sharded, lossless, with the whole pyramid and a mask. The first stage of a run.

    With --films: films to one Zarr store, reduced to --side. With --sections: the stains of each block registered and stacked.
    """
    from ..engine.images.guess import guess_kind
    from ..engine.images.inputs import INPUTS
    from ..engine.runs import usual
    from ..engine.runtime.output_folder import default_out
    from .display import watched

    if ngff not in ("0.4", "0.5"):
        raise typer.BadParameter(f"{ngff!r} is no version that can be written: give 0.4 or 0.5", param_hint=NGFF)
    named = {"slides": slides, "volumes": volumes, "films": films, "sections": sections}
    kinds = [name for name, given in named.items() if given]
    if len(kinds) > 1:
        raise typer.BadParameter(f"images are {' or '.join(kinds)}, not both", param_hint=f"--{kinds[-1]}")
    if not kinds:
        with watched(as_json=json, quiet=quiet) as show:
            kinds = [guess_kind(images, tuple(INPUTS), show, usual="slides")]
    if kinds == ["films"] and ngff != "0.5":
        raise typer.BadParameter("all films are in one Zarr store, which is no OME-Zarr", param_hint=NGFF)
    options = run | {"stages": ("convert",)}
    given = {kinds[0]: images}
    status = begin(
        usual(kinds[0]).name, given, settings, cluster, options, out=out, dry_run=dry_run, json=json, quiet=quiet
    )
    where = out or str(default_out(images))
    if ngff == "0.4" and dry_run and not json:
        say(f"then OME-Zarr 0.4 in {where}/ome-zarr-0.4: about as many bytes again as the stores, not counted above")
    if ngff == "0.5" or dry_run:
        return status
    redo = {name: run[name] for name in run.keys() & {"redo"}}
    return max(status, export(where, redo, to="ome-zarr-0.4", json=json, quiet=quiet))


def go_on(
    stage: str,
    out: OutArgument,
    settings: Given,
    cluster: Given,
    run: Given,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Execute one stage of an existing run."""
    from ..engine.api.running import resume
    from .display import watched

    with watched(as_json=json, quiet=quiet) as show:
        options = _options(cluster, run | {"stages": (stage,)}, show)
        return print_run(resume(out, options=options, **settings), as_json=json)


def apply(
    out: OutArgument,
    settings: Given,
    cluster: Given,
    run: Given,
    more: More = None,
    slides: NewSlides = None,
    volumes: NewVolumes = None,
    films: NewFilms = None,
    sections: NewSections = None,
    new_out: NewOut = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Apply the trained network to every tile of every image, to every volume, or to every film. Needs `train`.

    With --slides, --volumes, --films or --sections: a new run on other images, by the networks of the finished run in OUT. A
    run of clusters has the same clusters, numbers and colours, and the share of tiles that are unlike the training set; one of
    films names the same classes.

    Example: `tile-engine apply results/ --slides new/ --out new-results/`
    """
    from ..engine.api.trained_runs import TRAINED, run_to_apply

    images = {"slides": slides, "volumes": volumes, "films": films, "sections": sections}
    new = {kind: [*paths, *(more or ())] for kind, paths in images.items() if paths}
    if not new:
        if new_out or more:
            text = "a new run needs new images: give --slides, --volumes, --films or --sections"
            raise typer.BadParameter(text, param_hint="--out" if new_out else f"{more}")
        return go_on("apply", out, settings, cluster, run, json=json, quiet=quiet)
    if more and not (Path(out) / "run.json").exists() and any((Path(one) / "run.json").exists() for one in more):
        raise typer.BadParameter("name the finished run first: tile-engine apply OUT --slides A B", param_hint=out)
    name = run_to_apply(out, next(iter(new)))
    return begin(name, new, settings | {TRAINED: out}, cluster, run, out=new_out, json=json, quiet=quiet)


def _plan(
    name: str,
    images: Given,
    settings: Given,
    cluster: Given,
    run: Given,
    out: str | None,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    from ..engine.api import running
    from ..engine.workers.pool import job_script_of
    from .display import watched
    from .tell import print_plan

    with watched(as_json=as_json, quiet=quiet) as show:
        options = _options(cluster, run, show)
        script = job_script_of(options.cluster)
        plans = running.plan(name, images, out, options=options, settings=settings)
        return max(print_plan(plan, script, as_json=as_json) for plan in plans)


def relabel(
    out: OutArgument,
    settings: Given,
    run: Given,
    k: Level = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show another level of the tree of clusters, or other names, numbers, colours and merges, without a network.

    Labels, GeoJSON, tables, maps and report of a finished run are written anew. Later commands on the run keep the choice.

    Example: `tile-engine relabel results/ --k 9 --classes clusters.csv`
    """
    from ..engine.api import running
    from .display import watched
    from .tell import print_clusters, print_result

    with watched(as_json=json, quiet=quiet) as show:
        level = 0 if k in ("auto", "recommended") else None if k is None else _level(k)
        relabelled = running.relabel(out, level, **settings, options=_options({}, run, show))
        if not json:
            print_clusters(relabelled)
        return print_result(relabelled, as_json=json)


def _level(text: str) -> int:
    if not text.isdecimal():
        raise typer.BadParameter(f"{text!r} is neither a number of clusters nor auto: give --k 9, or --k auto")
    return int(text)


def print_run(run: Run | StainRuns, *, as_json: bool) -> int:
    from .tell import print_result

    return print_result(run, as_json=as_json)


def _options(cluster: Given, run: Given, show: Any) -> RunOptions:
    from ..engine.runtime.options import RunOptions
    from ..engine.workers.placement import ClusterOptions

    return RunOptions(cluster=ClusterOptions(**cluster), report=show, **run)
