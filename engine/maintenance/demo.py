"""demo: small images of known structure, and a run on them, in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from ...stores.files import target_of
from ...stores.slides import synthetic as slides
from ...stores.volumes import synthetic as brains

RESULTS = "results"


@dataclass(frozen=True, slots=True)
class Demo:
    """Images that are made, and the run on them."""

    run: str
    """Name of the run."""
    images: str
    """Kind of the images, and the folder of them."""
    names: tuple[str, ...]
    """Their files."""
    make: Callable[[Path], Any]
    """Writes them to a folder."""
    settings: Mapping[str, Any]
    listed: str = ""
    """List of the images, beside their folder; empty where the run is on the folder itself."""


DEMOS: Mapping[str, Demo] = {
    "slides": Demo(
        "cluster", "slides", tuple(f"colon-{n}.tif" for n in range(1, 5)), slides.make_slides, slides.DEMO_SETTINGS
    ),
    "brains": Demo("embed", "volumes", brains.NAMES, brains.make_heads, brains.DEMO_SETTINGS, "volumes.csv"),
}
"""Kind of the demo -> the demo."""


def demo_of(kind: str) -> Demo:
    """The demo of a kind. Raises SettingsError for a kind that there is none of."""
    if kind not in DEMOS:
        raise SettingsError(f"--kind is {kind!r}: there are demos of {' and '.join(DEMOS)}.")
    return DEMOS[kind]


def demo_images(out: Path, demo: Demo) -> Path:
    """The images of a demo in `out`, made where one is missing: their folder, or the list of them.

    Raises SettingsError (E_OUT) for a folder that holds anything else: files of yours would stand between those of the demo.
    """
    folder = out / demo.images
    known = {demo.images, RESULTS, *filter(None, [demo.listed])}
    foreign = [path for path in _children(out) if path.name not in known and target_of(path.name) not in known]
    foreign += [
        path for path in _children(folder) if path.name not in demo.names and target_of(path.name) not in demo.names
    ]
    if foreign:
        raise SettingsError(
            f"{out} holds {foreign[0].relative_to(out)}, which is no part of this demo. Nothing was made. Choose a new or "
            "empty folder with --out.",
            "E_OUT",
        )
    needed = [*(folder / name for name in demo.names), *([out / demo.listed] if demo.listed else [])]
    if not all(path.exists() for path in needed):
        demo.make(folder)
    return out / demo.listed if demo.listed else folder


def _children(folder: Path) -> list[Path]:
    """What lies in a folder, but for what file managers leave in every one."""
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder} is a file. Choose a new or empty folder with --out.", "E_OUT")
    children = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in children if not path.name.startswith(".") and path.name != "Thumbs.db"]
