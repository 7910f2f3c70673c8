"""validated: the content of a document of a run, or the error that names its faults."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from ...errors import CorruptError
from ...stores.folder import Folder

V = TypeVar("V")
PROBLEMS_SHOWN = 3
"""Validation problems listed in the error for an invalid document."""


def validated(folder: Folder, name: str, validate: Callable[[], V]) -> V:
    """What `validate` returns. Raises CorruptError for a document (a path without suffix) that it finds invalid."""
    try:
        return validate()
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems = "; ".join(_damage(one) for one in details[:PROBLEMS_SHOWN])
        more = f"; and {len(details) - PROBLEMS_SHOWN} more" if len(details) > PROBLEMS_SHOWN else ""
        raise CorruptError(
            f"{folder.out / name}.json is invalid ({problems}{more}): the file was changed or damaged after it was written."
        ) from error


def _damage(error: Any) -> str:
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"{name} is missing"
    text = "there is no such entry" if error["type"] == "extra_forbidden" else "another value is expected"
    if error["type"] in ("value_error", "assertion_error"):  # a text of ours
        text = error["msg"].partition(", ")[2]
    return f"{name} = {reprlib.repr(error['input'])}: {text}"
