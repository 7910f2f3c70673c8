"""demo: four small slides of known structure, and a run of `cluster` on them, in a folder of their own."""

from __future__ import annotations

from pathlib import Path

from ...errors import SettingsError
from ...stores.files import target_of
from ...stores.slides.synthetic import make_slides

SLIDES, RESULTS = "slides", "results"
NAMES = tuple(f"colon-{number}.tif" for number in range(1, 5))


def demo_slides(out: Path) -> Path:
    """The folder of the demo's slides in `out`, made where one is missing.

    Raises SettingsError (E_OUT) for a folder that holds anything else: files of yours would stand between those of the demo.
    """
    slides = out / SLIDES
    foreign = [path for path in _children(out) if path.name not in (SLIDES, RESULTS)]
    foreign += [path for path in _children(slides) if path.name not in NAMES and target_of(path.name) not in NAMES]
    if foreign:
        raise SettingsError(
            f"{out} holds {foreign[0].relative_to(out)}, which is no part of the demo. Nothing was made. Choose a new or "
            "empty folder with --out.",
            "E_OUT",
        )
    if not all((slides / name).exists() for name in NAMES):
        make_slides(slides)
    return slides


def _children(folder: Path) -> list[Path]:
    """What lies in a folder, but for what file managers leave in every one."""
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder} is a file. Choose a new or empty folder with --out.", "E_OUT")
    children = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in children if not path.name.startswith(".") and path.name != "Thumbs.db"]
