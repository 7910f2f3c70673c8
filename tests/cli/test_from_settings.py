"""Options on the command line: made from the settings, each once, by panel; -h; and what a misspelt word meant."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.core import TyperGroup
from typer.testing import CliRunner

from tile_engine.cli import app as module
from tile_engine.cli import runs
from tile_engine.cli.app import app
from tile_engine.engine import runs as registry
from tile_engine.engine.pipeline.command import Command, Variant
from tile_engine.engine.pipeline.offered import offered_by, offered_by_stage
from tile_engine.engine.pipeline.option import PANELS, WHERE
from tile_engine.engine.runs.cluster.settings import ClusterSettings

ROOT = Path(__file__).parents[2]
STAGES = ("convert", "sample", "train", "apply", "map")


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="tile-engine", env={"COLUMNS": "200"})


def commands(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(group, TyperGroup):
        yield name, group
        return
    context = typer.Context(group)  # type: ignore[arg-type]  # of typer's own click
    for child in group.list_commands(context):
        yield from commands(group.get_command(context, child), f"{name} {child}".strip())


def options(command: Any) -> list[Any]:
    """Its options but --help."""
    context = typer.Context(command, **command.context_settings)
    return [p for p in command.get_params(context) if p.param_type_name == "option" and p.name != "help"]


ALL = dict(commands(typer.main.get_command(app)))


def test_no_option_is_written_in_the_command_line_that_a_settings_model_has() -> None:
    names = {one.option for name in registry.RUNS for one in offered_by(registry.command(name))}
    written = {o for path in (ROOT / "cli").glob("*.py") for o in re.findall(r'"(--[a-z-]+)"', path.read_text())}
    assert written and written & names <= {"--k", "--mpp", "--to", "--stain"}, (
        "relabel shows a level, export has a format, warp names a section: search states a picture, none is the run's"
    )
    twice = [o for o in written if sum(p.read_text().count(f'"{o}"') for p in (ROOT / "cli").glob("*.py")) > 1]
    assert set(twice) <= {"--out", "--help", "--slides", "--volumes", "--films", "--sections"}, (
        "other folders, and slides, volumes, films and sections as a kind or as a path"
    )


@pytest.mark.parametrize("name", registry.RUNS)
def test_a_run_takes_every_setting_of_its_variants(name: str) -> None:
    shown = {p.name: p for p in options(ALL[f"run {name}"])}
    for one in offered_by(registry.command(name)):
        assert shown[one.name].help == one.help and one.option in shown[one.name].opts


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_takes_the_settings_that_are_its_own(stage: str) -> None:
    offered = offered_by_stage(map(registry.command, registry.RUNS), stage)
    assert {one.name for one in offered} <= {p.name for p in options(ALL[stage])}


@pytest.mark.parametrize("name", list(ALL))
def test_options_stand_in_panels_in_one_order_and_where_to_run_comes_last(name: str) -> None:
    panels = [p.rich_help_panel for p in options(ALL[name])]
    assert panels == sorted(panels, key=PANELS.index)
    if "cluster" in {p.name for p in options(ALL[name])}:
        assert panels.count(WHERE) == 11


@pytest.mark.parametrize("name", ["", "run", *ALL])
def test_h_is_help_everywhere(name: str) -> None:
    short, long = call(*name.split(), "-h"), call(*name.split(), "--help")
    assert short.exit_code == 0 and "Usage:" in short.output and short.output == long.output


def test_run_is_the_first_command_and_shows_an_example() -> None:
    top = typer.main.get_command(app)
    assert isinstance(top, TyperGroup) and top.list_commands(typer.Context(top))[0] == "run"  # type: ignore[arg-type]
    assert "tile-engine run cluster --slides slides/" in call("run", "--help").output
    assert "Example: tile-engine run embed --volumes" in call("run", "embed", "-h").output


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("cluster",), "Did you mean `tile-engine run cluster`?"),
        (("embedd", "--volumes", "x"), "Did you mean `tile-engine run embed`?"),
        (("verfy", "out"), "Did you mean `tile-engine verify`?"),
        (("run", "clutser"), "Did you mean `tile-engine run cluster`?"),
    ],
)
def test_a_misspelt_command_is_told_what_was_meant_and_exits_2(words: tuple[str, ...], meant: str) -> None:
    done = call(*words)
    assert done.exit_code == 2 and meant in done.stderr


def test_a_command_like_no_other_is_told_so_alone() -> None:
    assert "No such command 'zzzz'." in call("zzzz").stderr and "mean" not in call("zzzz").stderr


def test_a_misspelt_option_is_told_what_was_meant_and_exits_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tile-engine", "run", "cluster", "--slide", "x"])
    monkeypatch.setattr(module, "_end", lambda: None)  # it would end this process
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 2
    assert "No such option: --slide. Did you mean --slides?" in capsys.readouterr().err


class Seen:
    """What a command hands on."""

    def __init__(self) -> None:
        self.images: Any = None
        self.settings: Any = None
        self.name = ""
        self.options: Any = None

    def run(self, name: str, images: Any, out: Any, *, options: Any, settings: Any) -> None:
        self.name, self.images, self.options, self.settings = name, images, options, settings


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    from tile_engine.engine.api import running

    found = Seen()
    monkeypatch.setattr(running, "run", found.run)
    monkeypatch.setattr(runs, "print_run", lambda run, as_json: 0)
    return found


def test_what_is_given_is_handed_on_by_the_fields_names_and_nothing_else(seen: Seen) -> None:
    call("run", "cluster", "--slides", "a", "--slides", "b", "--patch", "64", "--no-umap", "--effort", "quick", "--redo",
         "--workers", "3", "--wait", "5", "--cluster", "local")  # fmt: skip
    assert (seen.name, seen.images) == ("cluster", {"slides": ["a", "b"]})
    assert seen.settings == {"patch": 64, "umap": False, "effort": "quick"}
    assert seen.options.redo and seen.options.stages == STAGES
    where = seen.options.cluster
    assert (where.workers, where.wait, where.cluster, where.adapt) == (3, 5.0, "local", None)


@pytest.mark.parametrize(("kind", "name"), [("slides", "cluster"), ("volumes", "embed")])
def test_convert_begins_the_usual_run_on_images_of_a_kind(seen: Seen, kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_bytes(b"slide")
    call("convert", str(tmp_path), *(["--volumes"] if kind == "volumes" else []), "--codec", "lz4")
    assert (seen.name, seen.images, seen.settings) == (name, {kind: str(tmp_path)}, {"codec": "lz4"})
    assert seen.options.stages == ("convert",)


def test_files_that_a_shell_lists_are_images_with_and_without_an_option(seen: Seen) -> None:
    call("run", "cluster", "--slides", "a.svs", "b.svs", "c.svs", "--no-umap")
    assert (seen.images, seen.settings) == ({"slides": "a.svs", "": ["b.svs", "c.svs"]}, {"umap": False})
    call("run", "cluster", "--k", "3", "a.svs", "b.svs")
    assert (seen.images, seen.settings) == ({"": ["a.svs", "b.svs"]}, {"k": "3"})


@pytest.mark.parametrize("typed", ["64", "64,64,64", "64x64x64", "64, 64"])
@pytest.mark.parametrize(("name", "option"), [("cluster", "--patch"), ("embed", "--tile")])
def test_a_patch_is_typed_as_in_python(seen: Seen, name: str, option: str, typed: str) -> None:
    call("run", name, "--volumes", "a", option, typed)
    variant, _ = registry.command(name).chosen(seen.images, seen.settings)
    assert variant.name == {"cluster": "volumes", "embed": "volume-tiles"}[name]
    assert variant.settings.model_validate(seen.settings).model_dump()["patch"] == 64


def test_a_new_run_in_the_registry_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = ModuleType("tile_engine.engine.runs.toy")
    vars(toy)["COMMAND"] = Command("toy", "Play.", (Variant("slides", "slides", ClusterSettings),))
    monkeypatch.setitem(sys.modules, toy.__name__, toy)
    monkeypatch.setattr(registry, "RUNS", (*registry.RUNS, "toy"))
    module._runs.cache_clear()
    try:
        assert "Play." in call("run", "--help").output
        assert "--max-bad-tiles" in call("run", "toy", "--help").output
        assert "`tile-engine run toy`" in call("toy").stderr
    finally:
        module._runs.cache_clear()
