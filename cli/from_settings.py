"""from_settings: builds commands' options from the settings models, `RunOptions` and `ClusterOptions`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..engine.pipeline.option import PANELS, READ, WRITE

if TYPE_CHECKING:
    from ..engine.pipeline.command import Command
    from ..engine.pipeline.offered import Offered

Given = dict[str, Any]
"""The values that the user gave for a group of options: field name -> value, without options not given."""

Out = Annotated[
    str | None,
    typer.Option(
        "--out", metavar="FOLDER", help="Folder for the results. [default: ./FOLDER-tiles]", rich_help_panel=WRITE
    ),
]
OutArgument = Annotated[str, typer.Argument(metavar="OUT", help="Folder of a run.", show_default=False)]
Config = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Images and settings from a YAML file, with the keys of Python; options of the command go before it. Every run "
        "leaves such a file, OUT/run.yaml.",
        rich_help_panel=READ,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.", rich_help_panel=WRITE)
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.", rich_help_panel=WRITE)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and the result.", rich_help_panel=WRITE)]


Group = tuple[inspect.Parameter, ...]
"""Options that a command receives together, as one `Given`."""


def settings_of_run(command: Command) -> Group:
    """All settings of a run."""
    from ..engine.pipeline.offered import offered_by

    return tuple(map(_setting, offered_by(command)))


def settings_of_stage(stage: str, only: Iterable[str] = ()) -> Group:
    """The settings that a stage of any run reads, or those of them named in `only`."""
    from ..engine.pipeline.offered import offered_by_stage
    from ..engine.runs import RUNS, command

    offered = offered_by_stage(map(command, RUNS), stage)
    return tuple(_setting(o) for o in offered if not only or o.name in only)


def images_of(command: Command) -> Group:
    """One option for each modality that a run accepts."""
    from ..engine.images.inputs import INPUTS

    kinds = {
        name: typer.Option(f"--{name}", help=INPUTS[name].help, metavar="PATH...", rich_help_panel=READ)
        for name in command.images
    }
    return tuple(_parameter(name, list[str], option) for name, option in kinds.items())


def cluster_options() -> Group:
    """The options of `ClusterOptions`: where to run."""
    from ..engine.pipeline.offered import offered_of
    from ..engine.workers.placement import ClusterOptions

    return tuple(map(_typed, offered_of(ClusterOptions)))


def run_options(*only: str) -> Group:
    """The options of `RunOptions`: how a run is executed; or those of them named in `only`."""
    from ..engine.pipeline.offered import offered_of
    from ..engine.runtime.options import RunOptions

    return tuple(_typed(o) for o in offered_of(RunOptions) if not only or o.name in only)


def taking(function: Callable[..., int], groups: Mapping[str, Callable[[], Group]]) -> Callable[..., int]:
    """Wrap a function: replace each parameter named like a group with the group's options, sorted by panel."""
    made = {name: group() for name, group in groups.items()}

    @functools.wraps(function)
    def call(**values: Any) -> int:
        for name, group in made.items():
            taken = {p.name: values.pop(p.name) for p in group}
            values[name] = {key: value for key, value in taken.items() if value is not None}
        return function(**values)

    own = inspect.signature(function, eval_str=True).parameters
    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in own.values() if p.name not in made]
    parameters += [parameter for group in made.values() for parameter in group]
    parameters.sort(key=_panel_order)
    vars(call)["__signature__"] = inspect.Signature(parameters)
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    return call


def _setting(offered: Offered) -> inspect.Parameter:
    """A setting as a parameter: numbers are parsed, other values stay text, as the settings model validates both."""
    if offered.kind is bool:
        names = (offered.option, f"--no-{offered.option[2:]}")
        return _parameter(offered.name, bool, _option(offered, "/".join(names)))
    parser = None if offered.kind is str else _number
    return _parameter(offered.name, str, _option(offered, offered.option, parser))


def _typed(offered: Offered) -> inspect.Parameter:
    return _parameter(offered.name, offered.kind, _option(offered, offered.option))


def _option(offered: Offered, names: str, parser: Callable[[str], Any] | None = None) -> Any:
    metavar = None if offered.kind is bool else offered.metavar
    return typer.Option(names, help=offered.help, rich_help_panel=offered.panel, metavar=metavar, parser=parser)


def _parameter(name: str, kind: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _number(text: str) -> int | float | str:
    """Parse text as int, else float, else return it unchanged."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _panel_order(parameter: inspect.Parameter) -> int:
    """Sort key: arguments first, then options by panel."""
    (shown,) = parameter.annotation.__metadata__
    panel = shown.rich_help_panel
    return PANELS.index(panel) if panel in PANELS else -1
