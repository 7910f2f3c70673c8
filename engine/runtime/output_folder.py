"""The default output folder of a run, and the check that the output folder is outside the input."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...errors import SettingsError
from ...stores.remote import absolute, as_list, to_path
from ..pipeline.listing import first_of
from ..pipeline.modality import Images


def default_out(images: Images) -> Path:
    """`<input's name>-tiles` in the working directory, or beside the input if that path would lie inside the input.

    Files of one folder are named by the folder, as a glob of them is. Raises SettingsError (E_OUT) where one of several paths
    is the folder of a run: it was meant for --out.

    >>> default_out("/data/cohort/").name, default_out(["/data/cohort/a.svs", "/data/cohort/b.svs"]).name
    ('cohort-tiles', 'cohort-tiles')
    """
    paths = [absolute(one) for one in as_list(images)]
    for path in paths if len(paths) > 1 else ():
        if (path / "run.json").is_file():
            raise SettingsError(
                f"{path} is the folder of a run, and no image: was --out {path} meant? Without --out, a new run begins.",
                "E_OUT",
            )
    together = len(paths) > 1 and len({path.parent for path in paths}) == 1 and not any(path.is_dir() for path in paths)
    path = paths[0].parent if together else paths[0]
    magic = [parent for parent in (path, *path.parents) if any(c in parent.name for c in "*?[")]
    path = to_path(os.path.normpath(str(magic[-1].parent if magic else path)))
    name = path.name if path.is_dir() else path.stem
    out = Path.cwd() / f"{name}-tiles"
    is_inside = path.is_dir() and out.is_relative_to(path)
    return path.parent / f"{name}-tiles" if is_inside else out


def check_outside(out: Path, images: Images, inputs: Sequence[Path]) -> None:
    """Raises SettingsError (E_OUT) where OUT is a slide, lies in an input folder, or holds the input, however it was named."""
    target = out.resolve()
    resolved = [path.resolve() for path in inputs]
    if any(target.is_relative_to(path) for path in resolved):
        raise SettingsError(
            f"{out} is the input itself: results would overwrite slides. Choose another --out.", "E_OUT"
        )
    for spec in as_list(images):
        root = to_path(spec)
        stores = [target / name for name in ("slides", "volumes", "sections")]
        if root.is_dir() and any(root.resolve() == s or root.resolve().is_relative_to(s) for s in stores):
            raise SettingsError(
                f"{spec} is where {out} keeps its own stores: slides and results would be mixed. Choose another --out.",
                "E_OUT",
            )
        if root.is_dir() and target.is_relative_to(root.resolve()):
            raise SettingsError(
                f"{out} lies inside the input folder {spec}: the next run would take its own results for slides. "
                "Choose an --out beside it.",
                "E_OUT",
            )
    is_begun = (target / "run.json").exists()  # by an earlier version: the same command resumes it
    if not is_begun and (within := [path for path in resolved if path.is_relative_to(target)]):
        names = first_of([path.relative_to(target).as_posix() for path in within])
        raise SettingsError(
            f"{out} holds input itself ({names}): results would lie among it. Choose a folder of its own with --out.",
            "E_OUT",
        )
