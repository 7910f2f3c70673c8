"""commands: the runs as Python functions; their keywords and the options of the command line come from one settings model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..pipeline.modality import Images
from ..runtime.options import RunOptions
from .run import Run
from .running import run
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
