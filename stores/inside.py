"""Inside: ids and paths that a document of OUT gives lead to places inside OUT, or are no ids and paths.

A folder of results may come from anybody. What its documents name is joined to paths, below which files are then written and
removed; so whatever is joined is looked at here first.
"""

from __future__ import annotations

import re

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""An image's id, as `stores.slides.cohort.slide_id` makes them: a part of a file's name, and no path."""
_ID = re.compile(ID_PATTERN)


def is_id(value: object) -> bool:
    """
    >>> is_id("Fall-7-8e776441"), is_id("../Fall-7"), is_id("/tmp/x"), is_id("a\\\\b"), is_id(""), is_id(7)
    (True, False, False, False, False, False)
    """
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_inside(value: object) -> bool:
    """Whether a value is a path with slashes that stays below the folder to which it is joined.

    >>> is_inside("slides/a.ome.zarr/zarr.json"), is_inside("/etc/zarr.json"), is_inside("slides/../../zarr.json")
    (True, False, False)
    """
    if not isinstance(value, str) or "\\" in value or "\0" in value:
        return False
    return all(part not in ("", ".", "..") for part in value.split("/"))
