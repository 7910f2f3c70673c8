"""The command line, `tile-engine`: parses, makes one call into the engine, prints; errors are a line and an exit status."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from ..version import VERSION
from . import options as o
from .search import search

if TYPE_CHECKING:
    from ..engine.api.run import Run
    from .display import Display

app = typer.Typer(
    name="tile-engine",
    help="From whole-slide images to maps of what is in them and where.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
runs = typer.Typer(help="All stages of a job, from slides to report.", no_args_is_help=True)
app.add_typer(runs, name="run")
app.command()(search)


def main() -> None:
    """Entry point. Exit statuses: 0 done, 2 settings, 3 some input rejected, 4 no usable input, 5 environment, 6 locked,
    7 store corrupt, 75 unfinished (run the same command again), 130 and 143 interrupted."""
    from ..errors import TileEngineError

    for stream in (sys.stdout, sys.stderr):  # file names may hold what a terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = app(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except TileEngineError as error:
        print(f"error [{error.code}]: {error.message}", file=sys.stderr)
        sys.exit(error.exit_status)
    except Exception as error:  # noqa: BLE001 - click's own errors share no importable base; all others are raised again
        sys.exit(_usage(error))


@contextmanager
def _watched(*, as_json: bool, quiet: bool) -> Iterator[Display]:
    """What a run tells its events to. An interrupt ends here: typer would make 130 of every kind of it, without a word."""
    from ..engine.runtime.signals import ended_by_sigterm
    from .display import Display

    with Display(as_json=as_json, quiet=quiet) as show, ended_by_sigterm():
        try:
            yield show
        except KeyboardInterrupt as error:
            print("stopped; what was written is safe: run the same command again to go on.", file=sys.stderr)
            raise typer.Exit(143 if type(error).__name__ == "Terminated" else 130) from error


def _usage(error: Exception) -> int:
    """Click's own errors, said as click says them; anything else is ours to mend and keeps its trace."""
    show: Callable[[], None] | None = getattr(error, "show", None)
    if show is None and type(error).__name__ not in ("Abort", "Exit"):
        raise error
    if show is not None:
        show()
    return int(getattr(error, "exit_code", 130))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tile-engine {VERSION}")
        raise typer.Exit


@app.callback()
def top(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """From whole-slide images to maps of what is in them and where."""


@runs.command("cluster")
@o.placed
def run_cluster(
    slides: o.Slides = None,
    volumes: o.Volumes = None,
    t: o.TimePoint = None,
    out: o.Out = None,
    mpp: o.Mpp = None,
    spacing: o.Spacing = None,
    pixels: o.Pixels = None,
    codec: o.Codec = None,
    max_bad_tiles: o.MaxBadTiles = None,
    patch: o.Patch = None,
    stride: o.Stride = None,
    samples: o.Samples = None,
    effort: o.Effort = None,
    jitter: o.Jitter = None,
    k: o.K = None,
    objective: o.Objective = None,
    seeds: o.Seeds = None,
    seed: o.Seed = None,
    threads: o.Threads = None,
    gang: o.Gang = None,
    device: o.Device = None,
    dtype: o.Dtype = None,
    umap: o.Umap = None,
    where: o.Where = None,
    redo: o.Redo = False,
    force_unlock: o.ForceUnlock = False,
    dry_run: o.DryRun = False,
    json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Find the kinds of tissue on slides, or in volumes, and where they are: images to maps, in one command.

    The same command goes on where it stopped. Changed settings or slides are refused with a diff unless --redo is given.
    """
    return _begin(locals(), stages=None)


@runs.command("embed")
@o.placed
def run_embed(
    volumes: o.Volumes = None,
    slides: o.Slides = None,
    t: o.TimePoint = None,
    out: o.Out = None,
    tile: o.Tile = None,
    stride: o.Stride = None,
    samples: o.Samples = None,
    jitter: o.Jitter = None,
    mpp: o.Mpp = None,
    spacing: o.Spacing = None,
    pixels: o.Pixels = None,
    max_bad_tiles: o.MaxBadTiles = None,
    codec: o.Codec = None,
    network: o.Network = None,
    code: o.Code = None,
    shape: o.Shape = None,
    voxel: o.Voxel = None,
    mask: o.MaskOption = None,
    align: o.Align = None,
    template: o.Template = None,
    label: o.Label = None,
    objective: o.EmbedObjective = None,
    alpha: o.Alpha = None,
    temperature: o.Temperature = None,
    distance: o.Distance = None,
    prototypes: o.Prototypes = None,
    entropy: o.Entropy = None,
    adversary: o.Adversary = None,
    marks: o.Marks = None,
    cv: o.Cv = None,
    effort: o.Effort = None,
    seed: o.Seed = None,
    threads: o.Threads = None,
    gang: o.Gang = None,
    device: o.Device = None,
    dtype: o.Dtype = None,
    umap: o.Umap = None,
    where: o.Where = None,
    redo: o.Redo = False,
    force_unlock: o.ForceUnlock = False,
    dry_run: o.DryRun = False,
    json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """One vector a volume, for similar cases, maps of a cohort, and models of your own: volumes to table and report.

    Where the list of volumes names classes, codes learn to tell them apart. The same command goes on where it stopped.
    With --tile, or of slides, one vector a tile: a layer of each image, and a table of all.
    """
    return _begin(locals(), stages=None, command="embed")


@app.command()
@o.placed
def convert(
    slides: o.SlidesArgument,
    volumes: o.AreVolumes = False,
    t: o.TimePoint = None,
    out: o.Out = None,
    mpp: o.Mpp = None,
    spacing: o.Spacing = None,
    pixels: o.Pixels = None,
    codec: o.Codec = None,
    max_bad_tiles: o.MaxBadTiles = None,
    where: o.Where = None,
    redo: o.Redo = False,
    force_unlock: o.ForceUnlock = False,
    dry_run: o.DryRun = False,
    json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Slides or volumes to OME-Zarr 0.5: sharded, lossless, with the whole pyramid and a mask. The first stage of a run."""
    values = locals()
    if volumes:
        return _begin(values | {"volumes": slides, "slides": None}, stages=("convert",), command="embed")
    return _begin(values, stages=("convert",))


@app.command()
@o.placed
def sample(
    out: o.OutArgument,
    patch: o.Patch = None,
    samples: o.Samples = None,
    effort: o.Effort = None,
    seed: o.Seed = None,
    where: o.Where = None,
    redo: o.Redo = False,
    force_unlock: o.ForceUnlock = False,
    json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Random patches inside tissue, balanced over slides and groups. Needs `convert`."""
    return _go_on(locals(), "sample")


@app.command()
@o.placed
def train(
    out: o.OutArgument,
    effort: o.Effort = None,
    jitter: o.Jitter = None,
    k: o.K = None,
    objective: o.Objective = None,
    seeds: o.Seeds = None,
    threads: o.Threads = None,
    gang: o.Gang = None,
    device: o.Device = None,
    where: o.Where = None,
    redo: o.Redo = False,
    force_unlock: o.ForceUnlock = False,
    json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Autoencoder, heads for every K, the chosen one fine-tuned. Needs `sample`; a new --k keeps the autoencoder."""
    return _go_on(locals(), "train")


@app.command()
@o.placed
def apply(
    out: o.OutArgument,
    stride: o.Stride = None,
    device: o.Device = None,
    dtype: o.Dtype = None,
    where: o.Where = None,
    redo: o.Redo = False,
    force_unlock: o.ForceUnlock = False,
    json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Every tissue tile of every slide through the trained network, as Zarr layers. Needs `train`."""
    return _go_on(locals(), "apply")


@app.command("map")
@o.placed
def map_(
    out: o.OutArgument,
    umap: o.Umap = None,
    where: o.Where = None,
    redo: o.Redo = False,
    force_unlock: o.ForceUnlock = False,
    json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Table, UMAP, maps, GeoJSON and report of an applied run. Needs `apply`."""
    return _go_on(locals(), "map")


@app.command()
def info(
    path: str = typer.Argument(help="A slide, a store, or a run's folder."), json: o.AsJson = False, mpp: o.Mpp = None
) -> int:
    """Say what a slide or a store is: levels, spacing, size, reader, and anything odd."""
    from ..engine.maintenance.describe import describe
    from .tell import print_description

    return print_description(describe(path, mpp), as_json=json)


@app.command()
def status(out: o.OutArgument, json: o.AsJson = False) -> int:
    """How far a run is: stages, slides, rejections, and who owns it."""
    from ..engine.maintenance.status import status as look
    from .tell import print_status

    return print_status(look(out), as_json=json)


@app.command()
@o.placed
def verify(
    out: o.OutArgument,
    full: o.Full = False,
    where: o.Where = None,
    json: o.AsJson = False,
) -> int:
    """Whether all that a run wrote is still there and as it was: names array, shard and slide of what is damaged."""
    from ..engine.maintenance.verify import verify as look
    from ..engine.workers.placement import ClusterOptions
    from .tell import print_finding, print_verdict

    with _watched(as_json=json, quiet=True):
        verdict = look(
            out, full=full, cluster=ClusterOptions(**(where or {})), found=lambda f: print_finding(f, as_json=json)
        )
    return print_verdict(verdict, as_json=json)


@app.command()
@o.placed
def repair(
    out: o.OutArgument,
    where: o.Where = None,
    force_unlock: o.ForceUnlock = False,
    json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Do the units again whose files are damaged, and nothing else: what was there before comes back, byte for byte."""
    from ..engine.maintenance.repair import repair as mend
    from .tell import print_repair

    values = {"where": where, "redo": False, "force_unlock": force_unlock}
    with _watched(as_json=json, quiet=quiet) as show:
        done = mend(out, options=_how(values, show))
    return print_repair(done, as_json=json)


@app.command()
@o.placed
def doctor(
    out: o.DoctorOut = None,
    where: o.Where = None,
    json: o.AsJson = False,
) -> int:
    """Look at this machine, a folder for results and the workers, before a run has to find out: what works, what does not."""
    from ..engine.maintenance.doctor import examine
    from ..engine.workers.placement import ClusterOptions
    from .tell import print_checks

    with _watched(as_json=json, quiet=True):
        return print_checks(examine(ClusterOptions(**(where or {})), out), as_json=json)


@app.command()
def demo(
    out: str = typer.Option("demo", "--out", help="Folder for the demo's slides and results."),
    json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Make four small slides from a public section and run the main job on them: about three minutes on two cores."""
    from pathlib import Path

    from ..engine.api.commands import cluster
    from ..engine.runtime.options import RunOptions
    from ..stores.slides.synthetic import DEMO_SETTINGS, make_slides

    slides = Path(out) / "slides"
    with _watched(as_json=json, quiet=quiet) as show:
        if not all((slides / f"colon-{n}.tif").exists() for n in range(1, 5)):
            make_slides(slides)
        run = cluster(slides, Path(out) / "results", options=RunOptions(report=show), **DEMO_SETTINGS)
    return _result(run, as_json=json)


def _how(values: dict[str, Any], show: Any) -> Any:
    from ..engine.runtime.options import RunOptions
    from ..engine.workers.placement import ClusterOptions

    return RunOptions(
        cluster=ClusterOptions(**values["where"]), redo=values["redo"], force_unlock=values["force_unlock"], report=show
    )


_NOT_SETTINGS = frozenset({"slides", "volumes", "out", "where", "redo", "force_unlock", "dry_run", "json", "quiet"})


def _begin(values: dict[str, Any], stages: tuple[str, ...] | None, command: str = "cluster") -> int:
    """A run that begins with slides or volumes."""
    from dataclasses import replace

    from ..engine.api import commands
    from ..engine.runs import command as command_named
    from ..engine.runs import pipeline
    from ..engine.runtime.start import plan_only
    from ..engine.workers.placement import ClusterOptions
    from ..engine.workers.pool import job_script_of
    from .tell import print_plan

    settings = {k: v for k, v in values.items() if k not in _NOT_SETTINGS}
    if "tile" in settings and (tile := settings.pop("tile")) is not None:
        settings["patch"] = tile
    images = {name: _one_or_all(values.get(name)) for name in ("slides", "volumes")}
    if values["dry_run"]:
        where = ClusterOptions(**values["where"])
        variant, chosen = command_named(command).chosen(images, commands.given(settings))
        plan = plan_only(pipeline(command, variant.name), chosen, values["out"], where, settings)
        return print_plan(plan, job_script_of(where), as_json=values["json"])
    with _watched(as_json=values["json"], quiet=values["quiet"]) as show:
        options = _how(values, show)
        options = replace(options, stages=stages) if stages else options
        run = commands.run(command, images, values["out"], options=options, settings=settings)
    return _result(run, as_json=values["json"])


def _one_or_all(values: list[str] | None) -> Any:
    return values[0] if values and len(values) == 1 else values


def _go_on(values: dict[str, Any], stage: str) -> int:
    """One stage of a run that exists."""
    from dataclasses import replace

    from ..engine.api.commands import resume

    settings = {k: v for k, v in values.items() if k not in _NOT_SETTINGS}
    with _watched(as_json=values["json"], quiet=values["quiet"]) as show:
        run = resume(values["out"], options=replace(_how(values, show), stages=(stage,)), **settings)
    return _result(run, as_json=values["json"])


def _result(run: Run, *, as_json: bool) -> int:
    from .tell import print_result

    return print_result(run, as_json=as_json)


if __name__ == "__main__":
    main()
