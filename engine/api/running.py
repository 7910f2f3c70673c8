"""running: what the commands and functions of all runs call, by the run's name; without the settings of the other runs.

A run starts other processes, which import for a while: what its own process needs is imported after they were started.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import resolve_name
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..pipeline.command import UNNAMED, Variant
from ..pipeline.progress import Report
from ..runs import command, pipeline
from ..runtime import preload
from ..runtime.options import RunOptions
from ..workers.child import kept_child
from ..workers.pool import expect_workers

if TYPE_CHECKING:
    from ..pipeline.modality import Images
    from ..pipeline.record import InspectedCohort
    from ..pipeline.spec import Estimate
    from .run import Run
    from .stain_runs import StainRuns


def run(
    name: str,
    images: Mapping[str, Images | None],
    out: str | Path | None = None,
    *,
    options: RunOptions | None = None,
    settings: Mapping[str, Any],
) -> Run | StainRuns:
    """Start or resume a registered run by its name; the command line and the functions of `commands` call this.

    `images` maps a kind of images to the images; exactly one kind is given, or "" for images of a kind that is to be guessed.
    Raises a TileEngineError if the whole run cannot continue.
    """
    options = options or RunOptions()
    with kept_child(resolve_name("..images.look", __package__)):  # which the parent imports at the same time
        variant, chosen = chosen_images(name, images, settings, options.report)
        expect_workers(options.cluster, preload.__name__, {preload.VARIABLE: f"{name} {variant.name}"})
        from ..runtime.apart import start_all

        done = start_all(pipeline(name, variant.name), chosen, out, options, settings)
    from ...stores.folder import Folder
    from ..pipeline.documents import find_stain_runs
    from .run import Run
    from .stain_runs import StainRuns

    return StainRuns(done) if find_stain_runs(Folder(done)) else Run(done)


def plan(
    name: str,
    images: Mapping[str, Images | None],
    out: str | Path | None = None,
    *,
    options: RunOptions,
    settings: Mapping[str, Any],
) -> Iterator[tuple[Path, InspectedCohort, Estimate]]:
    """What `run` would do with the same arguments, of each of its runs. Nothing is written; raises what `run` would raise
    before it begins."""
    with kept_child(resolve_name("..images.look", __package__)):
        variant, chosen = chosen_images(name, images, settings, options.report)
        from ..runtime.apart import plan_all

        yield from plan_all(pipeline(name, variant.name), chosen, out, options, settings)


def chosen_images(
    name: str, images: Mapping[str, Images | None], settings: Mapping[str, Any], report: Report
) -> tuple[Variant, Images]:
    """The variant of a run and its images, by what the user gave. Raises SettingsError (E_IMAGES) unless it is one kind."""
    if images.get(UNNAMED):
        from ..images.guess import named_images

        images = named_images(command(name), images, report)
    variant, chosen = command(name).chosen(images, given(settings))
    return variant, chosen


def with_file(
    name: str, path: str | Path, images: Mapping[str, Any], out: str | None, settings: Mapping[str, Any]
) -> tuple[dict[str, Any], str | None, dict[str, Any]]:
    """Images, OUT and settings of a command, completed by those of a file; see `run_file`. Raises SettingsError (E_CONFIG)."""
    from ..runtime.run_file import read_run_file

    file = read_run_file(path, command(name))
    return dict(images or file.images), out or file.out, {**file.settings, **settings}


def resume(out: str | Path, *, options: RunOptions | None = None, **settings: Any) -> Run:
    """Resume the run in `out` with the images that it began with; `settings` given here replace those of the run."""
    from ...stores.remote import absolute
    from ..runtime import start
    from ..runtime.divide import warn_together

    options = options or RunOptions()
    warn_together(absolute(out), options.report)
    return _changed(start.resume(out, options=options, **settings), options)


def relabel(
    out: str | Path,
    k: int | None = None,
    classes: str | Path | None = None,
    match: str | Path | None = None,
    *,
    options: RunOptions | None = None,
) -> Run:
    """Show another level of a finished run's tree of clusters, or other names, numbers, colours and merges; no network runs.

    `k` is the level, 0 the recommended one, None the present one; `classes` a CSV with the columns cluster, name, colour, into,
    `match` the folder of a finished run whose numbers, names and colours corresponding clusters take; "" for none, None for
    the present ones. Labels, GeoJSON, tables, maps and report are written anew, with their receipts; run.json records the
    choice, and later commands keep it. The `exit_status` of the answer is that of the relabelling: images that the run had left
    out before do not count. Raises SettingsError for a run without clusters (E_NO_CLUSTERS), for a level or cluster
    that the tree does not have, and for a `match` with a run of other images (E_MATCH).
    """
    from ..runtime import start

    options = options or RunOptions()
    before = _left_out(out)
    return _changed(start.relabel(out, options=options, level=k, classes=classes, match=match), options, before)


def _left_out(out: str | Path) -> frozenset[str]:
    """Ids of the images that the run in `out` has rejected, or has quarantined tiles of, so far."""
    from ...stores.folder import Folder
    from ...stores.remote import absolute
    from ..pipeline.image_documents import read_quarantined, read_rejected

    folder = Folder(absolute(out))
    return frozenset({*read_rejected(folder), *read_quarantined(folder)})


def _changed(out: Path, options: RunOptions, left_out_before: frozenset[str] = frozenset()) -> Run:
    """The run in `out` after a change; the page that joins it with those of other stains is written anew."""
    from ..runtime.stain_folders import join_again
    from .run import Run

    join_again(out, options.report)
    return Run(out, left_out_before)


def given(settings: Mapping[str, Any]) -> frozenset[str]:
    """Names of the settings that a user gave."""
    return frozenset(name for name, value in settings.items() if value is not None)
