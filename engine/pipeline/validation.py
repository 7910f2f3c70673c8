"""Validation: turns pydantic's errors into messages for users, for every validated file and option."""

from __future__ import annotations

import difflib
import reprlib
from typing import Any

from pydantic import BaseModel, ValidationError


def problems(error: ValidationError, model: type[BaseModel], *, what: str = "setting") -> str:
    """All problems in one line, with a suggestion for unknown names; `what` is the noun for such a name.

    >>> from pydantic import ConfigDict
    >>> class Car(BaseModel):
    ...     model_config = ConfigDict(extra="forbid")
    ...     wheels: int = 4
    >>> try:
    ...     Car.model_validate({"weels": 4})
    ... except ValidationError as error:
    ...     print(problems(error, Car, what="part"))
    there is no part 'weels', did you mean 'wheels'?
    """
    return "; ".join(_problem(e, model, what) for e in error.errors())


def _problem(error: Any, model: type[BaseModel], what: str) -> str:
    path = [str(part) for part in error["loc"]]
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _names(model, path[:-1]), 1)
        return f"there is no {what} {name!r}" + (f", did you mean {near[0]!r}?" if near else "")
    text = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{what} {name!r} is missing"
    return text if not name else f"{name} = {_short.repr(error['input'])}: {text}"


_short = reprlib.Repr()
"""Truncates values in messages: a few lines of YAML can expand to more than fits in memory."""
_short.maxstring = _short.maxother = 200
_short.maxlevel = 2


def _names(model: Any, path: list[str]) -> list[str]:
    """The field names that are valid at this path of the model."""
    for part in path:
        kinds = getattr(model.model_fields[part].annotation, "__args__", (model.model_fields[part].annotation,))
        model = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(model.model_fields)
