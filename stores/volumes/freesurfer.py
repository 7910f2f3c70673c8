"""FreeSurfer: trees of `subjects/case-7/mri/T1.mgz`, where all cases have files of one name and the folder tells them apart."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ..slides.cohort import SlideEntry

_MAX_ID_CHARACTERS = 24


def freesurfer_subject(path: Path) -> str:
    """The subject of a FreeSurfer volume, from its folders alone; empty for other files.

    >>> freesurfer_subject(Path("study/case-7/mri/T1.mgz")), freesurfer_subject(Path("study/case-7/T1.mgz"))
    ('case-7', '')
    """
    if path.suffix.lower() not in (".mgz", ".mgh"):
        return ""
    folder = path.parent.parent if path.parent.name == "orig" else path.parent
    return folder.parent.name if folder.name == "mri" else ""


def named_by_subject(entry: SlideEntry) -> SlideEntry:
    """An entry of a FreeSurfer tree with its subject in id and name; other entries as they are."""
    subject = freesurfer_subject(entry.path)
    if not subject:
        return entry
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", subject)[:_MAX_ID_CHARACTERS].strip("-._")
    name = entry.name if subject in entry.name.split("/") else f"{subject}/{entry.name}"
    return replace(entry, id=f"{plain}-{entry.id}" if plain else entry.id, name=name)
