"""Imports run one way through the rooms, without a circle, and every third party is imported in its home alone.

The direction is read from the line in docs/design.md, the homes from its table, so that page and code cannot drift apart.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("cli", "engine", "models", "stores")
"""Rooms at the top level; those of engine/ are its folders. `errors` and `version` import nothing and serve all of them."""


def floors() -> list[set[str]]:
    """Rooms by floor, the highest first, from the line in docs/design.md that begins `cli -> api -> ...`."""
    line = re.search(r"^(cli -> api -> .*)$", (ROOT / "docs" / "design.md").read_text(), re.MULTILINE)
    assert line, "docs/design.md states the direction of imports"
    return [set(re.findall(r"\w+", floor)) for floor in line[1].split("->")]


FLOORS = {room: number for number, rooms in enumerate(floors()) for room in rooms}


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module, by its dotted parts below tile_engine: of engine's, the folder."""
    return parts[1] if parts[0] == "engine" and len(parts) > 1 else parts[0]


def files() -> list[Path]:
    return sorted(path for room in TOP for path in (ROOT / room).rglob("*.py"))


def imported(source: str, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """What a module of `package` imports when it runs, as absolute dotted parts; imports for type checkers are left out."""
    todo: list[ast.AST] = [ast.parse(source)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            todo += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            yield from ((*base, alias.name) for alias in node.names)
        todo += ast.iter_child_nodes(node)


def walls(source: str, package: tuple[str, ...]) -> list[str]:
    """Imports of a module that go up, or to another room of the same floor; models and stores import no other room."""
    own = room_of(package[1:])
    wrong = []
    for parts in imported(source, package):
        if parts[0] != "tile_engine" or len(parts) < 2 or parts[1] not in TOP:
            continue
        other = room_of(parts[1:])
        if other != own and FLOORS.get(other, -1) <= FLOORS[own]:
            wrong.append(f"{'.'.join(package)} imports {'.'.join(parts)}")
    return wrong


def file_of(parts: tuple[str, ...]) -> str:
    """The file that an import of these parts reads; empty where it is none of ours."""
    for count in (len(parts), len(parts) - 1):
        path = Path(*parts[1:count]) if count > 1 else Path()
        for candidate in (path.with_suffix(".py") if path.name else path, path / "__init__.py"):
            if parts[0] == "tile_engine" and candidate.suffix and (ROOT / candidate).is_file():
                return candidate.as_posix()
    return ""


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Files that import each other in a ring, each ring once: what is left when files without importers go, again and again."""
    left = {path: set(reached) for path, reached in graph.items()}
    while idle := [path for path, reached in left.items() if not reached & left.keys()]:
        for path in idle:
            del left[path]
    return [sorted(left)] if left else []


def homes() -> dict[str, set[str]]:
    """Third party -> the folders and files that may import it, from the table under "Third parties" in docs/design.md."""
    page = (ROOT / "docs" / "design.md").read_text()
    table: dict[str, set[str]] = {}
    for names, places in re.findall(
        r"^\| (`[^|]*) \| ([^|]*) \|", page.split("## Third parties")[1].split("\n## ")[0], re.MULTILINE
    ):
        for name in re.findall(r"`(\w+)`", names):
            table[name] = set(re.findall(r"`([\w/.]+)`", places))
    return table


def places_of(path: str) -> set[str]:
    """A file and the folders above it, as the table names homes."""
    return {path} | {folder.as_posix() for folder in Path(path).parents}


def strays(source: str, path: str, table: dict[str, set[str]]) -> list[str]:
    """Third parties that a file imports away from home; those that no row of the table names are away from home anywhere."""
    package = ("tile_engine", *Path(path).parent.parts)
    found = {parts[0] for parts in imported(source, package)} - set(sys.stdlib_module_names) - {"tile_engine"}
    return [f"{path} imports {n}" for n in sorted(found) if not places_of(path) & table.get(n, set())]


def package_of(path: Path) -> tuple[str, ...]:
    return ("tile_engine", *path.relative_to(ROOT).parent.parts)


def test_imports_run_one_way() -> None:
    wrong = [line for path in files() for line in walls(path.read_text(), package_of(path))]
    assert not wrong, "\n".join(wrong)


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = {
        path.relative_to(ROOT).as_posix(): {file_of(parts) for parts in imported(path.read_text(), package_of(path))}
        - {"", path.relative_to(ROOT).as_posix()}
        for path in files()
    }
    assert not circles(graph), circles(graph)


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c", "d"]]
    assert not circles({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_every_folder_of_the_engine_has_its_floor() -> None:
    """And engine/ has no loose file beside its __init__."""
    inside = {path.name for path in (ROOT / "engine").iterdir() if path.name != "__pycache__"}
    assert inside - {"__init__.py"} == set(FLOORS) - {"cli", "models", "stores"}


@pytest.mark.parametrize("name", ["errors.py", "version.py"])
def test_what_all_rooms_share_imports_nothing(name: str) -> None:
    found = [parts for parts in imported((ROOT / name).read_text(), ("tile_engine",)) if parts[0] != "__future__"]
    assert not found


def test_every_third_party_is_at_home() -> None:
    table = homes()
    wrong = [line for path in files() for line in strays(path.read_text(), path.relative_to(ROOT).as_posix(), table)]
    assert not wrong, "\n".join([*wrong, "import it at home, or give it a home in the table of docs/design.md"])


def test_the_table_names_no_home_that_is_empty() -> None:
    used: dict[str, set[str]] = {}
    for path in files():
        where = path.relative_to(ROOT).as_posix()
        for parts in imported(path.read_text(), package_of(path)):
            used.setdefault(parts[0], set()).update(places_of(where))
    idle = [f"{name}: {place}" for name, places in homes().items() for place in places - used.get(name, set())]
    assert not idle, f"docs/design.md gives a home to what is not imported there: {idle}"


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("stores", "from ..models.losses import clustering"),
        ("stores.slides", "from ...engine.tiling.plan import Plan"),
        ("models", "import tile_engine.stores.frame"),
        ("models", "def f():\n    from ..engine import runtime"),
        ("engine.show", "from ...cli import app"),
        ("engine.pipeline", "from ..runs import RUNS"),
        ("engine.steps.convert", "from ...images import modality"),
        ("engine.runtime", "from ..api import run"),
    ],
)
def test_an_import_the_wrong_way_is_found(room: str, line: str) -> None:
    assert walls(line, ("tile_engine", *room.split(".")))


def test_an_import_the_right_way_is_not() -> None:
    assert not walls(
        "from ...stores.frame import Box\nfrom ...errors import SlideError", ("tile_engine", "engine", "steps")
    )


def test_a_third_party_away_from_home_is_found() -> None:
    table = {"torch": {"models", "engine/compute"}}
    assert strays("import torch.nn", "stores/frame.py", table)
    assert strays("def f():\n    from torch import nn", "engine/tiling/plan.py", table)
    assert strays("import requests", "models/losses/clustering.py", table)
    assert not strays("import torch", "engine/compute/fit.py", table)
    assert not strays("import jinja2", "engine/show/report.py", {"jinja2": {"engine/show"}})
    assert strays("import jinja2", "engine/show.py", {"jinja2": {"engine/show"}})
    assert not strays("if TYPE_CHECKING:\n    import torch", "stores/frame.py", table)
