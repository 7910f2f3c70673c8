"""Options: every option of the command line once, so that all commands that take one take the same."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

_SLIDES, _WHAT, _TRAIN, _WHERE, _TALK = "Slides", "Tiles and training", "Clusters", "Where it runs", "What it says"
_VOLUMES, _EMBED = "Volumes", "Codes"

Slides = Annotated[
    list[str] | None,
    typer.Option(
        "--slides",
        help="Folder (with its subfolders), glob, file, or CSV with a column `path` and perhaps mpp, site, group.",
        rich_help_panel=_SLIDES,
    ),
]
SlidesArgument = Annotated[
    list[str], typer.Argument(help="Folder, glob, files, or a CSV with a column `path`.", show_default=False)
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for the results [default: ./FOLDER-tiles].", rich_help_panel=_SLIDES),
]
DoctorOut = Annotated[
    Path | None,
    typer.Option(
        "--out", help="Folder for results that is to be tried: written to, and its speed.", rich_help_panel=_SLIDES
    ),
]
OutArgument = Annotated[Path, typer.Argument(help="Folder of a run.", show_default=False)]
Mpp = Annotated[
    float | None,
    typer.Option(
        "--mpp",
        help="Micrometres a pixel of slides that do not say it; a CSV's column goes before.",
        rich_help_panel=_SLIDES,
    ),
]
Spacing = Annotated[
    float | None,
    typer.Option(
        "--spacing",
        help="Micrometres a pixel to work at [default: 0.5, if half the slides reach it].",
        rich_help_panel=_SLIDES,
    ),
]
Pixels = Annotated[
    str | None,
    typer.Option(
        "--pixels",
        help="Pixels to store: all, tissue (the rest reads as background), or none "
        "(the run reads the slides themselves) [default: all].",
        rich_help_panel=_SLIDES,
    ),
]
Codec = Annotated[
    str | None,
    typer.Option(
        "--codec",
        help="Lossless compression: zstd, lz4 (faster, larger), none [default: zstd].",
        rich_help_panel=_SLIDES,
    ),
]
MaxBadTiles = Annotated[
    float | None,
    typer.Option(
        "--max-bad-tiles",
        help="Share of the tissue that may be unreadable before a slide is rejected [default: 0.01].",
        rich_help_panel=_SLIDES,
    ),
]
Patch = Annotated[
    int | None,
    typer.Option("--patch", help="Side of a patch in pixels [default: 128; of volumes 16].", rich_help_panel=_WHAT),
]
Tile = Annotated[
    str | None,
    typer.Option(
        "--tile",
        help="A vector a tile rather than a volume: voxels along it, such as 32 or 32,32,32; with --slides pixels "
        "[default: 128].",
        rich_help_panel=_WHAT,
    ),
]
AreVolumes = Annotated[
    bool, typer.Option("--volumes", help="These are volumes (NIfTI, DICOM, ...), not slides.", rich_help_panel=_SLIDES)
]
Stride = Annotated[
    int | None,
    typer.Option("--stride", help="Pixels between patches on the maps [default: half a patch].", rich_help_panel=_WHAT),
]
Samples = Annotated[
    int | None,
    typer.Option("--samples", help="Patches to train on, at most [default: 50000].", rich_help_panel=_WHAT),
]
Effort = Annotated[
    str | None,
    typer.Option(
        "--effort",
        help="Training steps: quick, normal, thorough, or a factor [default: normal].",
        rich_help_panel=_WHAT,
    ),
]
Jitter = Annotated[
    float | None,
    typer.Option(
        "--jitter", help="Strength of colour and stain jitter in training [default: 1].", rich_help_panel=_WHAT
    ),
]
K = Annotated[
    str | None,
    typer.Option(
        "--k", help="Number of clusters: 14, a range 2-20, or auto for 2-20 [default: auto].", rich_help_panel=_TRAIN
    ),
]
Objective = Annotated[
    str | None,
    typer.Option("--objective", help="imsat or iic [default: imsat].", rich_help_panel=_TRAIN),
]
Seeds = Annotated[
    int | None, typer.Option("--seeds", help="Initialisations of every head [default: 5].", rich_help_panel=_TRAIN)
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Of every random choice [default: 0].", rich_help_panel=_TRAIN)
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        help="Threads of a training step; another number gives other last digits [default: the cores, at most 8].",
        rich_help_panel=_TRAIN,
    ),
]
Gang = Annotated[
    int | None,
    typer.Option(
        "--gang",
        help="Workers that train the network together; another number gives other last digits [default: 1].",
        rich_help_panel=_TRAIN,
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        help="Arithmetic of apply: float32 or bf16 [default: float32; bf16 on GPUs that have it].",
        rich_help_panel=_TRAIN,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="What trains and applies the network: auto, cpu or cuda; another one gives other last digits [default: auto: "
        "what the run began with, else cuda where every worker has a GPU of its own].",
        rich_help_panel=_TRAIN,
    ),
]
Umap = Annotated[
    bool | None, typer.Option("--umap/--no-umap", help="Lay the tiles out by UMAP.", rich_help_panel=_TRAIN)
]
Volumes = Annotated[
    list[str] | None,
    typer.Option(
        "--volumes",
        help="Folder, glob, file, BIDS tree, .npz stack, or CSV/TSV with a column `path` and perhaps subject, "
        "site, label, age ...",
        rich_help_panel=_VOLUMES,
    ),
]
TimePoint = Annotated[
    int | None,
    typer.Option("--t", help="Which volume of 4-D files.", rich_help_panel=_VOLUMES),
]
Network = Annotated[
    str | None,
    typer.Option(
        "--network",
        help="onga (80x96x80), arai (160x192x160), yamaguchi-BxC (blocks 1-4, channels 1, 4, 16, 32), or "
        "yamaguchi for all sixteen [default: onga].",
        rich_help_panel=_EMBED,
    ),
]
Code = Annotated[
    int | None,
    typer.Option("--code", help="Numbers of a code [default: 150].", rich_help_panel=_EMBED),
]
Shape = Annotated[
    str | None,
    typer.Option(
        "--shape",
        help="Voxels z,y,x that the network sees [default: the network's; small volumes of one shape: theirs].",
        rich_help_panel=_VOLUMES,
    ),
]
Voxel = Annotated[
    float | None,
    typer.Option(
        "--voxel",
        help="Millimetres a voxel that volumes are resampled to [default: so that a head fits the shape: 2 or 1].",
        rich_help_panel=_VOLUMES,
    ),
]
MaskOption = Annotated[
    str | None,
    typer.Option(
        "--mask",
        help="What stays of a volume: head, given (column `mask`, or the BIDS brain mask beside it), none, or "
        "a mask file in the same space [default: head].",
        rich_help_panel=_VOLUMES,
    ),
]
Align = Annotated[
    str | None,
    typer.Option(
        "--align", help="Registration to --template: none, rigid or affine [default: none].", rich_help_panel=_VOLUMES
    ),
]
Template = Annotated[
    str | None,
    typer.Option("--template", help="Volume that the others are aligned to.", rich_help_panel=_VOLUMES),
]
Label = Annotated[
    str | None,
    typer.Option(
        "--label",
        help="Column of the classes; cases without one take part unlabelled [default: label].",
        rich_help_panel=_EMBED,
    ),
]
EmbedObjective = Annotated[
    str | None,
    typer.Option(
        "--objective",
        help="What codes are trained for: reconstruction, prototypes, triplet, contrastive, proxy [default: "
        "prototypes where classes are known].",
        rich_help_panel=_EMBED,
    ),
]
Alpha = Annotated[
    float | None,
    typer.Option(
        "--alpha",
        help="Weight of the metric loss beside the squared error; 1 as published [default: 0.1].",
        rich_help_panel=_EMBED,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", help="Distances are divided by it.", rich_help_panel=_EMBED),
]
Distance = Annotated[
    str | None,
    typer.Option(
        "--distance", help="Of prototypes: sq (squared, as published) or l2 [default: sq].", rich_help_panel=_EMBED
    ),
]
Prototypes = Annotated[
    int | None,
    typer.Option(
        "--prototypes", help="Samples of which a prototype is the mean; 1 as published.", rich_help_panel=_EMBED
    ),
]
Entropy = Annotated[
    float | None,
    typer.Option("--entropy", help="Weight of the unlabelled cases' entropy [default: 0].", rich_help_panel=_EMBED),
]
Adversary = Annotated[
    float | None,
    typer.Option(
        "--adversary",
        help="Weight of the adversary that guesses the site from the code [default: 0].",
        rich_help_panel=_EMBED,
    ),
]
Marks = Annotated[
    bool | None,
    typer.Option(
        "--marks/--no-marks",
        help="The code's last numbers say how likely each class is: clusters then part where classes do [default: no].",
        rich_help_panel=_EMBED,
    ),
]
Cv = Annotated[
    int | None,
    typer.Option(
        "--cv",
        help="Folds of the evaluation, by subject; 0 for none [default: 5; a column `split` goes before].",
        rich_help_panel=_EMBED,
    ),
]
Where = dict[str, Any] | None
"""What the options of `WHERE` come to; `placed` puts them in the place of a parameter of this type."""
WHERE: dict[str, Any] = {
    "cluster": Annotated[
        str | None,
        typer.Option(
            "--cluster",
            help="none (this process), local (a worker a core), cuda (a worker a GPU), or a queue that the site file "
            "describes: slurm, pbs, lsf, sge, oar, htcondor [default: the site file's, else cuda with GPUs, else local with "
            "more than two cores].",
            rich_help_panel=_WHERE,
        ),
    ],
    "scheduler_address": Annotated[
        str | None,
        typer.Option(
            "--scheduler-address",
            help="A running dask scheduler, such as tcp://127.0.0.1:8786.",
            rich_help_panel=_WHERE,
        ),
    ],
    "scheduler_file": Annotated[
        Path | None,
        typer.Option(
            "--scheduler-file",
            help="The file that `dask scheduler --scheduler-file` wrote.",
            rich_help_panel=_WHERE,
        ),
    ],
    "workers": Annotated[
        int | None,
        typer.Option(
            "--workers",
            help="Workers to start, and to replace when they end [default: one a core or GPU].",
            rich_help_panel=_WHERE,
        ),
    ],
    "adapt": Annotated[
        str | None,
        typer.Option(
            "--adapt", help="MIN:MAX workers, as the work needs them; instead of --workers.", rich_help_panel=_WHERE
        ),
    ],
    "site": Annotated[
        Path | None,
        typer.Option(
            "--site",
            help="Site file: what jobs on this cluster ask for [default: TILE_ENGINE_SITE, else "
            "~/.config/tile-engine/site.yaml].",
            rich_help_panel=_WHERE,
        ),
    ],
    "wait": Annotated[
        float | None,
        typer.Option(
            "--wait",
            help="Seconds to wait for a first worker, and for one to come back after all are gone [default: the site "
            "file's, else 60, or 600 of a queue].",
            rich_help_panel=_WHERE,
        ),
    ],
    "unit_timeout": Annotated[
        float | None,
        typer.Option(
            "--unit-timeout",
            help="Seconds that one unit of a slide may take on a worker before another one tries it [default: 1800].",
            rich_help_panel=_WHERE,
        ),
    ],
    "cache_dir": Annotated[
        Path | None,
        typer.Option(
            "--cache-dir",
            help="Folder on each machine's own disk to which slides are copied before they are read [default: only slides "
            "in object stores are, to the temporary folder].",
            rich_help_panel=_WHERE,
        ),
    ],
    "cache_limit": Annotated[
        float | None,
        typer.Option(
            "--cache-limit",
            help="GB that copies of slides may take on a machine [default: 50, or half of what is free].",
            rich_help_panel=_WHERE,
        ),
    ],
    "rmm_pool": Annotated[
        str | None,
        typer.Option(
            "--rmm-pool", help="Memory that RMM takes on each GPU, such as 8GB [default: none].", rich_help_panel=_WHERE
        ),
    ],
}


def placed(command: Callable[..., int]) -> Callable[..., int]:
    """A command whose parameter `where` stands for all options of `WHERE`; it is handed them as one dictionary."""
    own = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def call(**values: Any) -> int:
        given = {name: values.pop(name) for name in WHERE}
        return command(where={name: value for name, value in given.items() if value is not None}, **values)

    kept: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name != "where":
            kept.append(parameter)
            continue
        for name, kind in WHERE.items():
            kept.append(inspect.Parameter(name, parameter.kind, default=None, annotation=kind))
    vars(call)["__signature__"] = own.replace(parameters=kept)
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in kept}
    return call


Redo = Annotated[
    bool,
    typer.Option(
        "--redo",
        help="Go on with changed settings or slides: what depends on them is made anew.",
        rich_help_panel=_WHERE,
    ),
]
ForceUnlock = Annotated[
    bool,
    typer.Option(
        "--force-unlock", help="Take over the lock of another host's run that is surely gone.", rich_help_panel=_WHERE
    ),
]
Full = Annotated[
    bool, typer.Option("--full", help="Read every byte: checksums, and every chunk decoded.", rich_help_panel=_WHAT)
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.", rich_help_panel=_TALK)
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.", rich_help_panel=_TALK)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and the result.", rich_help_panel=_TALK)]
