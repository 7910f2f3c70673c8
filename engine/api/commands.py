"""commands: the runs as Python functions; their keywords and the options of the command line come from one settings model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...stores.folder import Folder
from ...stores.remote import absolute
from ..pipeline.command import UNNAMED, Variant
from ..pipeline.documents import find_stain_runs
from ..pipeline.modality import Images
from ..pipeline.progress import Report
from ..runs import command, pipeline
from ..runtime import apart, divide
from ..runtime import start as runtime
from ..runtime.options import RunOptions
from ..runtime.run_file import read_run_file
from ..runtime.stain_folders import join_again
from .run import Run
from .signature import with_settings_of
from .stain_runs import StainRuns


@with_settings_of("anomaly")
def anomaly(
    films: Images | None = None,
    out: str | Path | None = None,
    *,
    slides: Images | None = None,
    volumes: Images | None = None,
    options: RunOptions | None = None,
    **settings: Any,
) -> Run:
    """Score `films`, the tiles of `slides` or `volumes` by how unlike normal ones they are, and map where.

    The images are a folder, a glob, files, a set of films (.npz, .npy) or a list (CSV, TSV, XLSX) with the columns path,
    subject and label. Settings are keywords (normal="none", latent=8 ...), None for the default. The same call with the same
    `out` resumes an unfinished run. Scores: `Run.table("films")`, of slides also `Run.tiles`; figures: `Run.evaluation`; where:
    `Run.films`, or `Run.layers("anomaly")`. Raises a TileEngineError if the whole run cannot continue.
    Sources: Kurotaki et al. 2017; Kingma and Welling, ICLR 2014; Xiao, Yan and Amit, NeurIPS 2020.
    """
    done = run(
        "anomaly", {"films": films, "slides": slides, "volumes": volumes}, out, options=options, settings=settings
    )
    assert isinstance(done, Run)  # no images of this run are divided by stain
    return done


@with_settings_of("classify")
def classify(
    films: Images | None = None,
    out: str | Path | None = None,
    *,
    options: RunOptions | None = None,
    **settings: Any,
) -> Run:
    """Train classifiers of `films`, judge them on subjects that they did not see, and map what they look at.

    The films are a list (CSV, TSV, XLSX) with the columns path, subject and label, or a set (.npz). Settings are keywords
    (network="vgg16", pretrain="other.csv" ...), None for the default; with trained="out/" the final network of a finished run
    judges new films. The same call with the same `out` resumes an unfinished run. Probabilities: `Run.table("films")`; figures:
    `Run.evaluation`; films and maps: `Run.films`. Raises a TileEngineError if the whole run cannot continue.
    Sources: Kurotaki et al. 2017; Simonyan and Zisserman, ICLR 2015; Zech et al., PLoS Med 15:e1002683 (2018).
    """
    done = run("classify", {"films": films}, out, options=options, settings=settings)
    assert isinstance(done, Run)  # films have no stains
    return done


@with_settings_of("cluster")
def cluster(
    slides: Images | None = None,
    out: str | Path | None = None,
    *,
    volumes: Images | None = None,
    sections: Images | None = None,
    options: RunOptions | None = None,
    **settings: Any,
) -> Run | StainRuns:
    """Cluster the tissue on `slides`, in `volumes` or in the stacked `sections` of blocks, and map each cluster; with
    `subjects`, group subjects by whole volumes.

    Images are a folder, a glob, a file, a list (CSV, TSV, XLSX) or several of these; `out` is `./<folder>-tiles` by default;
    settings are keywords (k=14, spacing=1.0, ...), None for the default. The same call with the same `out` resumes an
    unfinished run. Slides in several stains are clustered stain by stain, each in a run of its own (`StainRuns`), unless
    stains="together"; slides in one stain, and volumes, are one `Run`. A slide that cannot be used is rejected with a reason
    (`Run.rejected`), and the run continues with the others. Raises a TileEngineError (see `tile_engine.errors`) if a whole
    run cannot continue.
    Source: Rumman et al. 2023, PLOS Digital Health 2(12):e0000391.
    """
    images = {"slides": slides, "volumes": volumes, "sections": sections}
    return run("cluster", images, out, options=options, settings=settings)


@with_settings_of("embed")
def embed(
    volumes: Images | None = None,
    out: str | Path | None = None,
    *,
    slides: Images | None = None,
    options: RunOptions | None = None,
    **settings: Any,
) -> Run:
    """Embed whole volumes, the tiles of volumes (with `patch`), or the tiles of `slides`.

    `volumes` is a folder, a glob, files, a BIDS tree or a list. Settings are keywords (network="arai", label="diagnosis",
    cv=0 ...), None for the default. The same call with the same `out` resumes an unfinished run.
    Raises a TileEngineError if the whole run cannot continue.
    Sources: Onga et al., IEEE BigData 2019 (arXiv 1912.01824); Hoffer and Ailon 2016 (arXiv 1611.01449).
    """
    done = run("embed", {"volumes": volumes, "slides": slides}, out, options=options, settings=settings)
    assert isinstance(done, Run)  # embeddings are never divided by stain
    return done


@with_settings_of("harmonize")
def harmonize(
    volumes: Images | None = None,
    out: str | Path | None = None,
    *,
    slides: Images | None = None,
    options: RunOptions | None = None,
    **settings: Any,
) -> Run:
    """Make images of some sites look as if they had been taken at the site `to`, and judge the result.

    The images are a list (CSV, TSV, XLSX) with the columns path, subject and site. Settings are keywords (to="B", from_="A",
    generator="unet" ...), None for the default. The same call with the same `out` resumes an unfinished run. Versions:
    `Run.layers("harmonized/B")`; figures: `Run.document("judgement")`.
    Raises a TileEngineError if the whole run cannot continue.
    Sources: Zhu et al., ICCV 2017; Roca et al., Medical Image Analysis 99:103388 (2025).
    """
    done = run("harmonize", {"volumes": volumes, "slides": slides}, out, options=options, settings=settings)
    assert isinstance(done, Run)  # sites are not divided by stain
    return done


@with_settings_of("register")
def register(
    sections: Images | None = None,
    out: str | Path | None = None,
    *,
    options: RunOptions | None = None,
    **settings: Any,
) -> Run:
    """Register the sections of blocks across stains, and stack them as the channels of one image a block.

    `sections` is a list (CSV, TSV, XLSX) with the columns path, block and stain, or a folder with one sub-folder a block.
    Settings are keywords (resolution=4096, ...), None for the default. The same call with the same `out` resumes an unfinished
    run. Pairs: `Run.table("pairs")`; stacks: `Run.images`; other files of a section on its reference: `Run.warp`.
    Raises a TileEngineError if the whole run cannot continue.
    Source: Borovec et al. 2020, IEEE TMI 39:3042 (the measure).
    """
    done = run("register", {"sections": sections}, out, options=options, settings=settings)
    assert isinstance(done, Run)  # stains of blocks are channels of one image
    return done


@with_settings_of("sites")
def sites(
    volumes: Images | None = None,
    out: str | Path | None = None,
    *,
    slides: Images | None = None,
    options: RunOptions | None = None,
    **settings: Any,
) -> Run:
    """Tell which site `volumes`, or `slides`, come from, how surely, and where in the image it shows.

    The images are a list (CSV, TSV, XLSX) with the columns path, subject and site. Settings are keywords (cv=3 ...), None for
    the default. The same call with the same `out` resumes an unfinished run. Figures: `Run.evaluation`; maps:
    `Run.layers("gradcam")`. Raises a TileEngineError if the whole run cannot continue.
    Sources: Roca et al., Medical Image Analysis 99:103388 (2025); Selvaraju et al., ICCV 2017.
    """
    done = run("sites", {"volumes": volumes, "slides": slides}, out, options=options, settings=settings)
    assert isinstance(done, Run)  # sites are never divided by stain
    return done


def run(
    name: str,
    images: Mapping[str, Images | None],
    out: str | Path | None = None,
    *,
    options: RunOptions | None = None,
    settings: Mapping[str, Any],
) -> Run | StainRuns:
    """Start or resume a registered run by its name; the command line and the functions above call this.

    `images` maps a kind of images to the images; exactly one kind is given, or "" for images of a kind that is to be guessed.
    Raises a TileEngineError if the whole run cannot continue.
    """
    options = options or RunOptions()
    variant, chosen = chosen_images(name, images, settings, options.report)
    done = apart.start_all(pipeline(name, variant.name), chosen, out, options, settings)
    return StainRuns(done) if find_stain_runs(Folder(done)) else Run(done)


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
    file = read_run_file(path, command(name))
    return dict(images or file.images), out or file.out, {**file.settings, **settings}


def resume(out: str | Path, *, options: RunOptions | None = None, **settings: Any) -> Run:
    """Resume the run in `out` with the images that it began with; `settings` given here replace those of the run."""
    options = options or RunOptions()
    divide.warn_together(absolute(out), options.report)
    return _changed(runtime.resume(out, options=options, **settings), options)


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
    choice, and later commands keep it. Raises SettingsError for a run without clusters (E_NO_CLUSTERS), for a level or cluster
    that the tree does not have, and for a `match` with a run of other images (E_MATCH).
    """
    options = options or RunOptions()
    return _changed(runtime.relabel(out, options=options, level=k, classes=classes, match=match), options)


def _changed(out: Path, options: RunOptions) -> Run:
    """The run in `out` after a change; the page that joins it with those of other stains is written anew."""
    join_again(out, options.report)
    return Run(out)


def given(settings: Mapping[str, Any]) -> frozenset[str]:
    """Names of the settings that a user gave."""
    return frozenset(name for name, value in settings.items() if value is not None)
