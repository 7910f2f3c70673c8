"""The page of faults: 72 rows, each with tests that exist and codes that are explained."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text()
WITHOUT_TEST = {"66": "no viewer yet"}
"""Rows without a test, and the words that say why."""
FEWEST_REPORTS = 25


def table(heading: str) -> list[list[str]]:
    """Cells of the rows below a heading, up to the next."""
    text = PAGE.split(heading, 1)[1].split("\n#", 1)[0]
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


FAULTS, CASES, REPORTS = table("# Faults"), table("## Reports of the field"), table("## Further reports")


@cache
def functions_of(path: str) -> frozenset[str]:
    """Names of the test functions of a file of tests."""
    functions = (node for node in ast.walk(ast.parse((ROOT / "tests" / path).read_text())))
    return frozenset(f.name for f in functions if isinstance(f, ast.FunctionDef) and f.name.startswith("test_"))


def named(cell: str) -> list[tuple[str, str]]:
    """(file, function) of the tests that a cell names."""
    return re.findall(r"`([\w/]+\.py)::(test_\w+)`", cell)


def test_there_are_72_faults_in_their_order() -> None:
    assert [row[0] for row in FAULTS] == [str(number) for number in range(1, 73)]
    assert all(len(row) == 4 and row[1] and row[2] for row in FAULTS)


@pytest.mark.parametrize("row", [*FAULTS, *CASES, *REPORTS], ids=lambda row: f"{row[0]} {row[1]}"[:40])
def test_every_row_has_tests_that_exist(row: list[str]) -> None:
    tests = named(row[-1])
    assert len(tests) == row[-1].count("`") // 2, "nothing but tests in the last column"
    assert not [(path, name) for path, name in tests if name not in functions_of(path)]
    assert tests or WITHOUT_TEST[row[0]] in row[2]


def test_every_code_is_explained() -> None:
    explained = set(re.findall(r"^\| `(E_[A-Z_]+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE))
    assert set(re.findall(r"E_[A-Z_]+", PAGE)) <= explained


def test_reports_name_their_source_and_cover_the_five_kinds() -> None:
    assert len(REPORTS) >= FEWEST_REPORTS
    assert {row[0] for row in REPORTS} == {"loss", "structure", "meaning", "geometry", "joins"}
    assert all(re.fullmatch(r"([\w.-]+/[\w.-]+)?#\d+", source) for row in REPORTS for source in row[1].split(", "))
    assert len({row[0] for row in CASES}) == len(CASES) >= 50
