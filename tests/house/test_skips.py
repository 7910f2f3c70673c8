"""Where CI=true a test that would be skipped fails, so that a missing component cannot pass for a tested one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = """
import pytest

def test_lacks_something(): pytest.importorskip("a_package_that_is_not_there")

@pytest.mark.gpu
def test_lacks_a_device(): pytest.skip("no device")

@pytest.mark.xfail
def test_known_fault(): assert False

def test_works(): pass
"""


def environment(ci: str) -> dict[str, str]:
    """With what conftest.py imports from beside it."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "CI": ci, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.mark.parametrize(
    ("ci", "ends"), [("true", "1 failed, 1 passed, 1 skipped, 1 xfailed"), ("", "1 passed, 2 skipped")]
)
def test_what_is_skipped_fails_where_ci_is_true(tmp_path: Path, ci: str, ends: str) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_bytes((ROOT / "conftest.py").read_bytes())
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu: needs a device\n")
    command = [sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(ci))
    assert ends in done.stdout, done.stdout + done.stderr


def test_a_whole_file_that_is_skipped_fails_too(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import pytest\npytest.importorskip('a_package_that_is_not_there')\n")
    (tmp_path / "conftest.py").write_bytes((ROOT / "conftest.py").read_bytes())
    command = [sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment("true"))
    assert done.returncode not in (0, 5), done.stdout
    assert "nothing may be skipped" in done.stdout
