"""The command line, `tile-engine`: the table of commands, and `main`, which turns errors into a line and an exit status."""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

import typer

from ..version import VERSION
from . import maintenance, runs
from .export import export
from .from_settings import cluster_options, images_of, run_options, settings_of_run, settings_of_stage
from .lazy import CONTEXT_SETTINGS, LazyCommand, LazyGroup
from .say import say
from .search import search
from .view import view
from .warp import warp

STAGES = {
    "sample": "Sample random patches in tissue, balanced over images and subjects; or align whole volumes. Needs `convert`.",
    "train": "Train the networks of a run; a new --k keeps the autoencoder. Needs `sample`.",
    "map": "Make the table, UMAP, maps and report. Needs `apply`.",
}
RUN = """All stages of a job, from images to report.

Example: `tile-engine run cluster --slides slides/`"""


GARBAGE = 20_000
"""New objects before the collector looks for garbage: with Python's 700 a tenth of all imports is spent on it."""
INTERRUPTED = (130, 143)
"""Exit statuses after Ctrl-C and SIGTERM."""


class Runs(LazyGroup):
    """`tile-engine run`: a subcommand for every run of the registry."""

    def table(self) -> Mapping[str, Any]:
        return _runs()


class Top(LazyGroup):
    """`tile-engine`: `run` first, then its stages, then search and maintenance."""

    def table(self) -> Mapping[str, Any]:
        return _commands()

    def elsewhere(self) -> Mapping[str, str]:
        from ..engine.runs import RUNS

        return {name: f"tile-engine run {name}" for name in RUNS}


@cache
def _runs() -> Mapping[str, LazyCommand]:
    from ..engine.runs import RUNS, command

    found = {}
    for name in RUNS:
        one = command(name)
        found[name] = LazyCommand(
            name,
            partial(runs.begin, name),
            runs.help_of(one),
            images=partial(images_of, one),
            settings=partial(settings_of_run, one),
            cluster=cluster_options,
            run=run_options,
        )
    return found


@cache
def _commands() -> Mapping[str, Any]:
    run = Runs(
        name="run", help=RUN, no_args_is_help=True, context_settings=CONTEXT_SETTINGS, rich_markup_mode="markdown"
    )
    return {"run": run} | {str(command.name): command for command in (*_stages(), *_others())}


def _stages() -> Iterator[LazyCommand]:
    groups: dict[str, Any] = {"cluster": cluster_options, "run": run_options}
    yield LazyCommand("convert", runs.convert, settings=partial(settings_of_stage, "convert"), **groups)
    for name in ("sample", "train"):
        yield _stage(name, groups)
    yield LazyCommand("apply", runs.apply, settings=partial(settings_of_stage, "apply"), **groups)
    yield _stage("map", groups)


def _stage(name: str, groups: Mapping[str, Any]) -> LazyCommand:
    return LazyCommand(
        name, partial(runs.go_on, name), STAGES[name], settings=partial(settings_of_stage, name), **groups
    )


def _others() -> Iterator[LazyCommand]:
    unlock = partial(run_options, "force_unlock")
    yield LazyCommand(
        "relabel", runs.relabel, settings=partial(settings_of_stage, "map", ("classes", "match")), run=unlock
    )
    yield LazyCommand("search", search, run=unlock)
    yield LazyCommand("view", view)
    yield LazyCommand("export", export, run=partial(run_options, "redo", "force_unlock"))
    yield LazyCommand("warp", warp)
    yield LazyCommand("info", maintenance.info, settings=partial(settings_of_stage, "convert", ("mpp", "part")))
    yield LazyCommand("status", maintenance.status)
    yield LazyCommand("verify", maintenance.verify, cluster=cluster_options)
    yield LazyCommand("repair", maintenance.repair, cluster=cluster_options, run=unlock)
    yield LazyCommand("doctor", maintenance.doctor, cluster=cluster_options)
    yield LazyCommand("demo", maintenance.demo)


app = typer.Typer(
    name="tile-engine",
    cls=Top,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings=CONTEXT_SETTINGS,
)


def _version(shown: bool) -> None:
    if shown:
        print(f"tile-engine {VERSION}")
        raise typer.Exit


@app.callback()
def top(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """From whole-slide images and volumes to maps of what is in them and where."""


def main() -> None:
    """Entry point of the command line.

    Exit statuses: 0 done, 2 settings, 3 some input rejected, 4 no usable input, 5 environment, 6 locked,
    7 store corrupt, 75 unfinished (run the same command again), 130 and 143 interrupted.
    """
    from ..errors import TileEngineError

    gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])
    for stream in (sys.stdout, sys.stderr):  # file names may contain characters that a terminal cannot encode
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = app(prog_name="tile-engine", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except TileEngineError as error:
        say(f"error [{error.code}]: {error.message}", error=True)
        sys.exit(error.exit_status)
    except Exception as error:  # noqa: BLE001 - click's errors have no importable base class; others are raised again
        sys.exit(_usage(error))
    finally:
        _end()


def _end() -> None:
    """End the process without taking thousands of imported modules to pieces, which takes Python a third of a second; an error
    that has no exit status is left to Python, and all of it where a profiler or a measure of coverage looks on.

    If a unit that never ends was left behind in it, and after an interrupt, as a person waits, no thread is waited for. All of
    ours is given back by then.
    """
    from ..engine.runtime.unit_thread import any_left_behind

    error = sys.exc_info()[1]
    status = error.code if isinstance(error, SystemExit) else 1
    at_once = any_left_behind() or status in INTERRUPTED
    if not at_once and (not isinstance(error, SystemExit) or sys.getprofile() or sys.gettrace()):
        return
    if not isinstance(error, SystemExit):
        traceback.print_exc()
    elif isinstance(status, str):  # a library's own message
        print(status, file=sys.stderr)
    if not at_once:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed by whoever started the command
                stream.flush()
    except (OSError, ValueError):  # nobody reads it any more, which Python tells
        return
    os._exit(status if isinstance(status, int) else int(status is not None))


def _usage(error: Exception) -> int:
    """Show click's own errors in click's format and return the exit status; raise any other error with its traceback."""
    show: Callable[[], None] | None = getattr(error, "show", None)
    if show is None and type(error).__name__ not in ("Abort", "Exit"):
        raise error
    if near := getattr(error, "possibilities", None):
        vars(error).update(message=f"{vars(error)['message']}. Did you mean {near[0]}?", possibilities=None)
    if show is not None:
        show()
    return int(getattr(error, "exit_code", 130))


if __name__ == "__main__":
    main()
