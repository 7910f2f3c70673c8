"""expected: what a field of a settings model takes, in words: its kind of value and its range."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .option import Option


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """Beside the pattern of a text, in its annotation: what it takes, in words that an error can say."""

    text: str


KINDS_OF_VALUES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def range_text(field: FieldInfo) -> str:
    """The allowed range, from the field's bounds; empty where there are no bounds.

    >>> from pydantic import Field
    >>> range_text(Field(16, ge=16, le=128, multiple_of=8)), range_text(Field(1.0, gt=0)), range_text(Field(1, ge=0))
    ('16 to 128 in steps of 8', 'over 0', '0 or more')
    """
    bounds: dict[str, Any] = {}
    for value in field.metadata:
        if dataclasses.is_dataclass(value) and not isinstance(value, (type, Option, Form)):
            bounds |= dataclasses.asdict(value)
    if field.annotation is int and "lt" in bounds:
        bounds["le"] = bounds.pop("lt") - 1
    most = bounds.get("le")
    if "ge" in bounds and most is not None:
        text = f"{bounds['ge']} to {most}"
    else:
        least = f"over {bounds['gt']}" if "gt" in bounds else f"{bounds['ge']} or more" if "ge" in bounds else ""
        limit = f"under {bounds['lt']}" if "lt" in bounds else "" if most is None else f"up to {most}"
        text = ", ".join(filter(None, (least, limit)))
    return text + (f" in steps of {bounds['multiple_of']}" if "multiple_of" in bounds else "")


def expected_text(field: FieldInfo) -> str:
    """What a field takes.

    >>> from pydantic import Field
    >>> expected_text(FieldInfo.from_annotation(Annotated[int, Field(ge=1, le=9)]))
    'a whole number, 1 to 9'
    >>> expected_text(FieldInfo(annotation=Literal["a", "b", "c"])), expected_text(FieldInfo(annotation=float | None))
    ('a, b or c', 'a number')
    >>> expected_text(FieldInfo(annotation=tuple[int, int, int]))
    'three whole numbers'
    """
    return ", ".join(filter(None, (_kind(field.annotation), range_text(field))))


def form_text(field: FieldInfo) -> str:
    """What a field of texts with a pattern takes; empty where it has no `Form`.

    >>> from pydantic import Field
    >>> form_text(FieldInfo(annotation=list[Annotated[str, Form("one line")]]))
    'one line'
    """
    return next((value.text for value in _metadata(field.annotation, field.metadata) if isinstance(value, Form)), "")


def _metadata(annotation: Any, metadata: Iterable[Any] = ()) -> Iterator[Any]:
    """What stands in an annotation beside its types, at any depth."""
    yield from metadata
    for part in get_args(annotation):
        yield from _metadata(part, getattr(part, "__metadata__", ()))


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0])
    if origin in (Union, types.UnionType):
        kinds = [_kind(one) for one in arguments if one is not type(None)]
        return " or ".join(dict.fromkeys(kinds))
    if origin is Literal:
        names = [str(one) for one in arguments]
        return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    if annotation in KINDS_OF_VALUES:
        return KINDS_OF_VALUES[annotation]
    if origin in (tuple, list):
        inner = [one for one in arguments if one is not Ellipsis]
        several = {int: "whole numbers", float: "numbers"}.get(inner[0], "values") if len(set(inner)) == 1 else "values"
        counts = {2: "two", 3: "three", 4: "four"}
        return several if Ellipsis in arguments or origin is list else f"{counts.get(len(inner), len(inner))} {several}"
    if (isinstance(annotation, type) and issubclass(annotation, BaseModel)) or origin is dict:
        return "names with values"
    return "another kind of value"
