"""The reference pages say all that there is: every command and option, every reason code and status; links lead somewhere."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer

from tile_engine import errors
from tile_engine.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def options() -> ModuleType:
    spec = importlib.util.spec_from_file_location("options", ROOT / "docs" / "options.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_options_page_is_what_the_command_line_says(options: ModuleType) -> None:
    kept = (ROOT / "docs" / "options.md").read_text()
    assert kept == options.page(), "run: python docs/options.py > docs/options.md"


def test_every_command_and_option_is_in_the_docs(options: ModuleType) -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    missing = []
    for name, command in options.commands(typer.main.get_command(app)):
        missing += [] if name in text else [name]
        missing += [
            f"{name} {o}" for p in options.parameters(command) for o in p.opts if o.startswith("--") and o not in text
        ]
    assert not missing


def test_every_command_is_shown_in_a_howto(options: ModuleType) -> None:
    shown = "\n".join(page.read_text() for page in (ROOT / "docs" / "howto").glob("*.md"))
    names = [name for name, _ in options.commands(typer.main.get_command(app))]
    assert not [name for name in names if f"$ {name}" not in shown]


def sources() -> list[Path]:
    rooms = (ROOT / room for room in ("cli", "engine", "models", "stores"))
    return [ROOT / "errors.py", *(path for room in rooms for path in room.rglob("*.py"))]


def codes() -> set[str]:
    """Every reason code that stands in the source."""
    return {code for path in sources() for code in re.findall(r"[\"'](E_[A-Z_]+)[\"']", path.read_text())}


def test_every_reason_code_has_an_entry_and_every_entry_a_code() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    assert set(re.findall(r"^\| `(E_[A-Z_]+)` \|", page, re.MULTILINE)) == codes()


def raised() -> set[tuple[str, int]]:
    """(code, exit status) of every error that the source makes with a code of its own."""
    found = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            kind = (
                getattr(errors, node.func.id, None)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                else None
            )
            for argument in node.args[1:] if isinstance(node, ast.Call) and kind is not None else []:
                if isinstance(argument, ast.Constant) and str(argument.value).startswith("E_"):
                    found.add((argument.value, kind.exit_status))
    return found


def test_errors_end_a_command_with_the_status_that_the_page_says() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    stated = dict(re.findall(r"^\| `(E_[A-Z_]+)` \| (\d+) \|", page, re.MULTILINE))
    stated |= {kind.code: stated.get(kind.code, str(kind.exit_status)) for kind in kinds()}
    wrong = [(code, status) for code, status in raised() if code in stated and int(stated[code]) != status]
    assert not wrong
    assert all(
        int(stated[kind.code]) == kind.exit_status for kind in kinds() if not issubclass(kind, errors.SlideError)
    )


def kinds(kind: type[errors.TileEngineError] = errors.TileEngineError) -> Iterator[type[errors.TileEngineError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


def test_every_exit_status_has_an_entry() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    stated = {int(number) for number in re.findall(r"^\| (\d+)", page, re.MULTILINE)}
    assert stated >= {kind.exit_status for kind in kinds()} | {0, 130, 143}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


def test_every_page_is_reached_from_the_index() -> None:
    """By links alone, from docs/index.md on."""
    seen, todo = set(), [ROOT / "docs" / "index.md"]
    while todo:
        page = todo.pop().resolve()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        todo += [
            page.parent / link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()) if "://" not in link
        ]
    assert {page.resolve() for page in (ROOT / "docs").rglob("*.md")} <= seen


def test_decisions_say_problem_choice_and_cost() -> None:
    found = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [path.name[:4] for path in found] == [f"{n:04d}" for n in range(1, len(found) + 1)]
    for path in found:
        assert re.findall(r"^\*\*(.+?)\.\*\*", path.read_text(), re.MULTILINE) == [
            "Problem",
            "Choice",
            "What it cost",
        ], path


def test_the_readmes_commands_exist(options: ModuleType) -> None:
    """`make` targets stand in the Makefile, and tile-engine's commands on the command line."""
    lines = re.findall(r"^\$ (.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    names = [name for name, _ in options.commands(typer.main.get_command(app))]
    assert lines
    for line in lines:
        assert line.startswith(tuple(names)) or (line.split()[0] == "make" and line.split()[1] in targets), line
