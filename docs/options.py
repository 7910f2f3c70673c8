"""options.md: every command with its arguments and options, in the command line's own words.

`python docs/options.py > docs/options.md` writes the page anew; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from tile_engine.cli.app import app

TOP = """# Commands and options

What `--help` says, on one page. It is written by `python docs/options.py > docs/options.md`, and a test holds it to the
command line. Ends of a command, as numbers: see [errors](errors.md).
"""


def commands(command: Any, name: str = "tile-engine") -> Iterator[tuple[str, Any]]:
    """Every command with its full name, groups left out."""
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
    for child, below in (children or {}).items():
        yield from commands(below, f"{name} {child}")


def spelled(parameter: Any) -> str:
    """A parameter as it is typed: `--k K`, `--umap / --no-umap`, `SLIDES`."""
    if parameter.param_type_name == "argument":
        return f"{parameter.name.upper()}{'...' if parameter.nargs == -1 else ''}"
    names = " / ".join([", ".join(parameter.opts), *parameter.secondary_opts])
    return names if parameter.is_flag else f"{names} {parameter.name.upper()}"


def page() -> str:
    top = typer.main.get_command(app)
    found = [(name.removeprefix("tile-engine "), command) for name, command in commands(top)]
    lines = [TOP, "## Commands", "", "| command | what it does |", "|---|---|"]
    takers: dict[tuple[str, str], list[str]] = {}
    for name, command in found:
        arguments = " ".join(spelled(p) for p in command.params if p.param_type_name == "argument")
        lines.append(f"| `{' '.join(('tile-engine', name, arguments)).strip()}` | {' '.join(command.help.split())} |")
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help":
                takers.setdefault((spelled(parameter), parameter.help), []).append(name)
    lines += ["", "## Options", "", "| option | what it says | taken by |", "|---|---|---|"]
    for (option, text), names in sorted(takers.items()):
        whom = ", ".join(f"`{name}`" for name in names)
        lines.append(f"| `{option}` | {text} | {whom} |")
    lines += ["", "## Without a command", "", "| option | what it does |", "|---|---|"]
    lines += [f"| `{spelled(p)}` | {p.help} |" for p in top.params if p.name != "help"]
    lines += ["| `--help` | Say what there is; after a command, say what it takes. |"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
