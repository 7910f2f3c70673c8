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
    *("tile_engine.engine", "tile_engine.stores", "tile_engine.models"),
}

PROGRAM = """
import contextlib, io, sys
sys.argv = ["tile-engine", *sys.argv[1:]]
if sys.argv[1:] == ["import"]:
    import tile_engine
else:
    from tile_engine.cli.app import main
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        main()
    assert said.getvalue().strip(), "the command said nothing"
print(*sys.modules)
"""


def imported_by(*arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("arguments", [("import",), ("--help",), ("--version",), ("run", "cluster", "--help")])
def test_nothing_heavy_is_imported(arguments: tuple[str, ...]) -> None:
    assert not imported_by(*arguments) & HEAVY


def test_heavy_imports_would_be_seen() -> None:
    """`info` works, so it must import something of the list; a list that nothing can meet would test nothing."""
    assert imported_by("info", "--json", __file__) & {"numpy", "tile_engine.engine"}
