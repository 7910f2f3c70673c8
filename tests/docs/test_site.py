"""The site of the pages: every page stands in its menu, or is one of those that are reached from another."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SITE: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text())


def entries(menu: Any) -> Iterator[str]:
    for entry in menu if isinstance(menu, list) else menu.values():
        if isinstance(entry, str):
            yield entry
        else:
            yield from entries(entry)


def test_every_page_stands_once_in_the_menu() -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    listed = list(entries(SITE["nav"]))
    assert sorted(listed) == sorted(page for page in pages if not page.startswith("decisions/"))
    assert SITE["not_in_nav"].split() == ["decisions/*"]


def test_nothing_of_the_site_comes_from_elsewhere() -> None:
    assert SITE["theme"]["font"] is False and not {"extra_css", "extra_javascript"} & set(SITE)


@pytest.mark.nightly
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed: pip install -e '.[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").exists()
