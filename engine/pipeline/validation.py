"""Validation: turns pydantic's errors into messages for users, for every validated file and option."""

from __future__ import annotations

import difflib
import reprlib
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from .expected import expected_text, form_text


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
    field = _field(model, path)
    if error["type"] == "missing" and (field is None or field.is_required()):
        return f"{what} {name!r} is missing"
    if error["type"] in ("value_error", "assertion_error"):  # a text of ours
        text = error["msg"].partition(", ")[2]
        return text if not name else f"{name} = {_short.repr(error['input'])}: {text}"
    return f"{name or what} = {_short.repr(error['input'])}: give {_expected(error, field)}"


def _expected(error: Any, field: FieldInfo | None) -> str:
    """What a field takes; of a text with a pattern, and of parts of a field, what can be told."""
    if field is None:
        return "another value"
    if error["type"] == "string_pattern_mismatch":
        return form_text(field) or "a text of another form"
    return expected_text(field)


def _field(model: Any, path: list[str]) -> FieldInfo | None:
    """The field of a model, or of a model in it, that a path leads to or into; None where it leads nowhere."""
    found = None
    for part in path:
        fields = getattr(model, "model_fields", {})
        if part not in fields:
            break
        found = fields[part]
        model = _model_in(found.annotation)
    return found


def _model_in(annotation: Any) -> Any:
    kinds = getattr(annotation, "__args__", (annotation,))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


_short = reprlib.Repr()
"""Truncates values in messages: a few lines of YAML can expand to more than fits in memory."""
_short.maxstring = _short.maxother = 200
_short.maxlevel = 2


def _names(model: Any, path: list[str]) -> list[str]:
    """The field names that are valid at this path of the model."""
    for part in path:
        model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields)
