"""Lazy: commands that build their options on first use, and groups that suggest a name for a misspelt command."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from .from_settings import Group, taking

CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


class LazyCommand(TyperCommand):
    """A function as a command: name and help are available at once, options are built on first use."""

    def __init__(self, name: str, function: Callable[..., int], help: str = "", **groups: Callable[[], Group]) -> None:
        text = help or inspect.getdoc(function)
        super().__init__(name, help=text, context_settings=CONTEXT_SETTINGS, rich_markup_mode="markdown")
        self._function, self._groups = function, groups

    @cached_property
    def made(self) -> Any:
        """The typer command with its options, built on first use."""
        app = typer.Typer(add_completion=False, rich_markup_mode="markdown", context_settings=CONTEXT_SETTINGS)
        app.command(self.name, help=self.help)(taking(self._function, self._groups))
        return typer.main.get_command(app)

    def get_params(self, ctx: Any) -> list[Any]:
        return list(self.made.get_params(ctx))

    def invoke(self, ctx: Any) -> Any:
        return self.made.invoke(ctx)


class LazyGroup(TyperGroup):
    """A group of commands; the error for a misspelt or misplaced command suggests the right one."""

    def table(self) -> Mapping[str, Any]:
        """Name -> command, in the order shown in help."""
        raise NotImplementedError

    def elsewhere(self) -> Mapping[str, str]:
        """Name of a command that users may try in this group -> its full command line."""
        return {}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.table())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return self.table().get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in self.table():
            commands = {child: f"{ctx.command_path} {child}" for child in self.table()} | dict(self.elsewhere())
            matches = difflib.get_close_matches(name, commands, 1)
            suggestion = f" Did you mean `{commands[matches[0]]}`?" if matches else ""
            ctx.fail(f"No such command {name!r}.{suggestion}")
        return super().resolve_command(ctx, args)
