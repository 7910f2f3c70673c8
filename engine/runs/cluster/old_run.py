"""old_run: the finished run whose numbers, colours and names the clusters of a new run take, as a setting."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....errors import SettingsError

Match = tuple[str, ...]
"""(folder of the old run, checksum of what it shows); empty where there is none. An old run that changes is another one; of a
folder that is gone, the checksum is empty."""
DECIDING = ("clusters", "numbering")
"""Documents in models/ that, with level and classes, decide which clusters a run shows."""


def read_match(path: str | Path) -> Match:
    """The setting that names a finished run. Raises ValueError where the folder holds no finished run of clusters."""
    from ....stores.folder import Folder
    from ....stores.remote import absolute, to_path
    from ...pipeline.documents import read_run

    folder = to_path(absolute(str(path)))
    if not folder.exists():  # a run that was matched already does not need it
        return str(folder), ""
    try:
        run = read_run(Folder(folder))
    except SettingsError as error:
        raise ValueError(f"match: {error.message.rstrip('.')}") from error
    documents = [folder / "models" / f"{name}.json" for name in DECIDING]
    if run.command != "cluster" or run.status != "done" or not all(path.exists() for path in documents):
        raise ValueError(f"match: {folder} holds no finished run of clusters; name the folder of one")
    shown = json.dumps([run.settings.get(name) for name in ("level", "classes")])
    return str(folder), hashlib.sha256(b"\n".join([shown.encode(), *(p.read_bytes() for p in documents)])).hexdigest()[
        :16
    ]


def match_as_begun(match: Match, earlier: Mapping[str, Any]) -> Match:
    """The setting; of a folder that is gone, as the run recorded it when it was matched to it."""
    recorded = tuple(earlier.get("match") or ())
    return recorded if match[1:] == ("",) and recorded[:1] == match[:1] else match
