"""options.md: every command with its arguments and options, in the command line's own words.

`python docs/options.py > docs/options.md` writes the page anew; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from tile_engine.cli.app import app
from tile_engine.engine.pipeline.option import PANELS

TOP = """# Commands and options

What `--help` says, on one page. It is written by `python docs/options.py > docs/options.md`, and a test holds it to the
command line. Ends of a command, as numbers: see [errors](errors.md).
"""


def commands(command: Any, name: str = "tile-engine") -> Iterator[tuple[str, Any]]:
    """Every command with its full name, groups left out."""
    if not isinstance(command, TyperGroup):
        yield name, command
        return
    context = typer.Context(command, info_name=name)  # type: ignore[arg-type]  # of typer's own click
    for child in command.list_commands(context):
        yield from commands(command.get_command(context, child), f"{name} {child}")


def parameters(command: Any) -> list[Any]:
    """What a command takes, but for --help."""
    return [p for p in command.get_params(typer.Context(command, **command.context_settings)) if p.name != "help"]


def spelled(parameter: Any) -> str:
    """A parameter as it is typed: `--k K`, `--umap / --no-umap`, `SLIDES`."""
    if parameter.param_type_name == "argument":
        name = (parameter.metavar or parameter.name.upper()).removesuffix("...")
        return name + ("..." if parameter.nargs == -1 else "")
    names = " / ".join([", ".join(parameter.opts), *parameter.secondary_opts])
    value = (parameter.metavar or parameter.name.upper()).replace("|", "\\|")
    return names if parameter.is_flag else f"{names} {value}"


def page() -> str:
    top = typer.main.get_command(app)
    found = [(name.removeprefix("tile-engine "), command) for name, command in commands(top)]
    lines = [TOP, "## Commands", "", "| command | what it does |", "|---|---|"]
    takers: dict[tuple[int, str, str], list[str]] = {}
    for name, command in found:
        arguments = " ".join(spelled(p) for p in parameters(command) if p.param_type_name == "argument")
        lines.append(f"| `{' '.join(('tile-engine', name, arguments)).strip()}` | {' '.join(command.help.split())} |")
        for parameter in parameters(command):
            if parameter.param_type_name == "option":
                place = PANELS.index(parameter.rich_help_panel)
                takers.setdefault((place, spelled(parameter), parameter.help), []).append(name)
    for place, panel in enumerate(PANELS):
        lines += ["", f"## {panel}", "", "| option | what it says | taken by |", "|---|---|---|"]
        for (at, option, text), names in sorted(takers.items()):
            if at == place:
                lines.append(f"| `{option}` | {text} | {', '.join(f'`{name}`' for name in names)} |")
    lines += ["", "## Without a command", "", "| option | what it does |", "|---|---|"]
    lines += [f"| `{spelled(p)}` | {p.help} |" for p in parameters(top)]
    lines += ["| `--help, -h` | Say what there is; after a command, say what it takes. |"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
