"""old_run: the finished run whose numbers, colours and names the clusters of a new run take, as a setting."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ....errors import SettingsError

Match = tuple[str, ...]
"""(folder of the old run, checksum of its clusters.csv); empty where there is none. An old run that changes is another one."""


def read_match(path: str | Path) -> Match:
    """The setting that names a finished run. Raises ValueError where the folder holds no finished run of clusters."""
    from ....stores.folder import Folder
    from ....stores.remote import absolute, to_path
    from ...pipeline.documents import read_run

    folder = to_path(absolute(str(path)))
    try:
        run = read_run(Folder(folder))
    except SettingsError as error:
        raise ValueError(f"match: {error.message}") from error
    table = folder / "clusters.csv"
    if run.command != "cluster" or run.status != "done" or not table.exists():
        raise ValueError(f"match: {folder} holds no finished run of clusters; name the folder of one")
    return str(folder), hashlib.sha256(table.read_bytes()).hexdigest()[:16]
