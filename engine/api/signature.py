"""signature: signature and docstring of `tile_engine.cluster` and the like, generated from the settings models."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar

from ..pipeline.offered import Offered, offered_by
from ..runs import command

F = TypeVar("F", bound=Callable[..., object])


def with_settings_of(name: str) -> Callable[[F], F]:
    """Decorator: adds a run's settings to the signature and docstring of a function that takes them as `**settings`.

    A default that depends on the kind of images is shown as None; None always stands for the default.
    """

    def shown(function: F) -> F:
        offered = sorted(offered_by(command(name)), key=lambda o: o.name)
        own = inspect.signature(function)
        parameters = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        for one in offered:
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(inspect.Parameter(one.name, kind, default=one.default, annotation=one.annotation))
        vars(function)["__signature__"] = own.replace(parameters=parameters)
        lines = [f"    {one.name}: {_in_python(one.help, offered)}" for one in offered]
        function.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", "Settings:", *lines])
        return function

    return shown


def _in_python(text: str, offered: list[Offered]) -> str:
    """The help text with keywords in place of options: `patch` for --tile."""
    for one in sorted(offered, key=lambda o: -len(o.option)):
        text = text.replace(one.option, f"`{one.name}`")
    return text
