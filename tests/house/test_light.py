"""The command line answers at once: nothing heavy is imported before a command needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    *(
        "numpy",
        "scipy",
        "torch",
        "zarr",
        "numcodecs",
        "dask",
        "distributed",
        "xarray",
        "pandas",
        "anndata",
        "matplotlib",
    ),
    *("sklearn", "skimage", "umap", "cv2", "tifffile", "imagecodecs", "openslide", "PIL", "shapely", "safetensors"),
    *("yaml", "obstore", "jinja2", "tile_engine.stores.frame", "tile_engine.engine.pipeline.spec"),
}
SETTINGS = {"tile_engine.engine.runs", "tile_engine.engine.workers"}
"""What help on one command may import, and the list of commands may not."""

PROGRAM = """
import atexit, io, sys
sys.argv = ["tile-engine", *sys.argv[1:]]
said = io.StringIO()
@atexit.register
def tell():
    assert said.getvalue().strip() or sys.argv[1:] == ["import"], "the command said nothing"
    print(*sys.modules, file=sys.__stdout__, flush=True)
if sys.argv[1:] == ["import"]:
    import tile_engine
else:
    from tile_engine.cli.app import main
    sys.stdout = said
    main()  # which ends the process
"""


def imported_by(*arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("arguments", [("import",), ("--help",), ("--version",), ("status", "--help")])
def test_nothing_heavy_and_no_settings_are_imported(arguments: tuple[str, ...]) -> None:
    assert not imported_by(*arguments) & (HEAVY | SETTINGS)


@pytest.mark.parametrize(
    "arguments",
    [("run", "--help"), ("run", "cluster", "--help"), ("run", "embed", "-h"), ("train", "-h"), ("convert", "-h")],
)
def test_help_on_options_imports_settings_and_nothing_heavy(arguments: tuple[str, ...]) -> None:
    found = imported_by(*arguments)
    assert "tile_engine.engine.runs" in found and not found & HEAVY


def test_the_list_of_runs_leaves_out_where_to_run() -> None:
    assert not imported_by("run", "--help") & {"tile_engine.engine.workers", "tile_engine.stores"}


def test_heavy_imports_would_be_seen() -> None:
    """`info` works, so it must import something of the list; a list that nothing can meet would test nothing."""
    assert imported_by("info", "--json", __file__) & {"numpy", "tile_engine.stores.frame"}
