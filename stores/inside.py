"""Checks of ids and relative paths from documents of OUT: they must not lead outside of OUT.

A folder of results may come from anybody. Ids and paths in its documents are joined to paths where files are written and
removed, so each of them is checked here first.
"""

from __future__ import annotations

import re

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""Pattern of an image's id, as `stores.slides.cohort.slide_id` makes it: part of a file name, no path."""
_ID = re.compile(ID_PATTERN)


def is_id(value: object) -> bool:
    """Whether a value is an id of an image.

    >>> is_id("Fall-7-8e776441"), is_id("../Fall-7"), is_id("/tmp/x"), is_id("a\\\\b"), is_id(""), is_id(7)
    (True, False, False, False, False, False)
    """
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_inside(value: object) -> bool:
    """Whether a value is a relative path, with slashes, that stays below the folder it is joined to.

    >>> is_inside("slides/a.ome.zarr/zarr.json"), is_inside("/etc/zarr.json"), is_inside("slides/../../zarr.json")
    (True, False, False)
    """
    if not isinstance(value, str) or "\\" in value or "\0" in value:
        return False
    return all(part not in ("", ".", "..") for part in value.split("/"))
