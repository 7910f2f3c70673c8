"""harmonized_run: the finished run whose harmonized volumes another run reads, as a setting."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....errors import SettingsError

HarmonizedRun = tuple[str, ...]
"""(folder of the run, fingerprint of all that decides its results); empty where there is none. A run that is changed is another
one; of a folder that is gone, the fingerprint is empty."""


def read_harmonized(path: str | Path) -> HarmonizedRun:
    """The setting that names a finished run. Raises ValueError where the folder holds no finished run on volumes."""
    from ....stores.folder import Folder
    from ....stores.remote import absolute, to_path
    from ...pipeline.documents import read_run
    from ...pipeline.record import digest

    folder = to_path(absolute(str(path)))
    if not folder.exists():  # volumes that are prepared already do not need it
        return str(folder), ""
    try:
        run = read_run(Folder(folder))
    except SettingsError as error:
        raise ValueError(f"harmonized: {error.message.rstrip('.')}") from error
    if run.status != "done" or not (folder / "volumes").is_dir():
        raise ValueError(f"harmonized: {folder} holds no finished run on volumes; name the folder of one")
    return str(folder), digest(run.fingerprints)


def harmonized_as_begun(harmonized: HarmonizedRun, earlier: Mapping[str, Any]) -> HarmonizedRun:
    """The setting; of a folder that is gone, as the run recorded it when it began."""
    recorded = tuple(earlier.get("harmonized") or ())
    return recorded if harmonized[1:] == ("",) and recorded[:1] == harmonized[:1] else harmonized
