"""One name for one thing, in the field's words: names that were given up do not come back as identifiers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

GIVEN_UP = {
    "How": "RunOptions",
    "Where": "ClusterOptions",
    "Order": "ClusterSpec",
    "Crew": "WorkerPool",
    "crew": "worker_pool, or pool for the value",
    "lanes": "available_threads",
    "Going": "RunContext",
    "going": "context",
    "Beacon": "ProgressFile",
    "beacon": "progress",
    "SlideRecord": "ImageRecord",
    "careful": "isolate",
    "carefully": "in_isolation",
    "lethal": "crashing",
    "card": "gpu_stream",
    "Card": "GpuStream",
    "Judge": "Evaluate",
    "judge": "evaluate",
    "Review": "Report",
    "Lineup": "AssignRows",
    "Number": "OrderClusters",
    "Tune": "FineTune",
    "Kind": "Pipeline",
    "KINDS": "the registry, or a name with its noun",
    "asked": "settings",
    "wanted": "settings",
    "Common": "RunSettings",
    "told": "columns",
    "TOLD": "columns",
    "Known": "Covariates",
    "leavings": "outputs, ownership",
    "complaints": "validation, problems",
    "Opened": "InspectedCohort",
    "open_cohort": "inspect_slides",
    "Seat": "Rendezvous",
    "seat": "rendezvous",
    "Share": "Replica",
    "ALONE": "SINGLE",
    "Aside": "CheckpointSlot",
    "aside": "slot, partial_path",
    "course": "history",
    "courses": "histories",
    "Keeper": "AdaptiveJobs",
    "keeper": "adaptive",
    "marks": "class_features",
}
"""Name -> what the thing is called now."""
FUNCTIONS = {
    "place": "to_path, embed_points, position",
    "known": "covariates",
    "opened": "inspected",
    "codes": "embeddings",
    "flat": "planar",
    "lineup": "assigned_rows",
}
"""The same of functions and classes: as adjectives of a few lines these words may stand."""
PATTERNS = {re.compile(r"refuse(_\w+)?"): "check_*"}


def names_of(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of what a module defines: classes, functions, arguments, variables, attributes, imported names.

    A function's name ends with "()".
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, f"{node.name}()"
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom | ast.Import):
            yield from ((node.lineno, alias.asname) for alias in node.names if alias.asname)


def given_up(name: str) -> str:
    """What a name is called now; empty where nothing speaks against it."""
    bare = name.lstrip("_").removesuffix("()")
    ours = GIVEN_UP | FUNCTIONS if name.endswith("()") else GIVEN_UP
    return ours.get(bare, "") or next((now for pattern, now in PATTERNS.items() if pattern.fullmatch(bare)), "")


def test_names_that_were_given_up_are_not_used() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name} is now {given_up(name)}"
        for room in ("cli", "engine", "models", "stores")
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, name in names_of(path.read_text())
        if given_up(name)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "source",
    [
        "class Crew: ...",
        "def refuse_inside(): ...",
        "def f(asked): ...",
        "told = 1",
        "from x import y as asked",
        "def place(): ...",
    ],
)
def test_a_name_that_was_given_up_is_found(source: str) -> None:
    assert [name for _, name in names_of(source) if given_up(name)]
