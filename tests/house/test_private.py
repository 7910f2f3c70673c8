"""The project speaks of itself alone: no file names the machine it was written on, or papers that do not ship with it.

The forbidden words are put together from parts, so that this file does not hold them.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FORBIDDEN = [
    re.escape("/".join(("", "work", ""))),  # where the checkout lay
    re.escape("." + "library"),
    r"\.\.[/\"', ]+sha" + "red",  # test data beside the checkout: for those who run the tests, see MAY_NAME_DATA
    r"\bissues?" + r" #?\d",  # what the change was asked for
    r"\b" + "seeds" + "/",
    "|".join(rf"\b{name}\.md" for name in ("style", "methods", "anchors")),  # papers that do not ship
    "source " + r"document \d",
    r"py" + r"pi\.org|python" + r"hosted|np" + r"mjs|deb\.deb" + "ian",  # where packages come from
    "anthr" + "opic|" + "clau" + "de",
]
MAY_NAME_DATA = ("tests/conftest.py", "benchmarks/")
WORDS = re.compile("|".join(f"(?:{word})" for word in FORBIDDEN), re.IGNORECASE)


def offences(path: str, text: str) -> list[str]:
    found = [(n, m) for n, line in enumerate(text.splitlines(), 1) for m in WORDS.findall(line) if m is not None]
    if path.startswith(MAY_NAME_DATA):
        found = [(n, m) for n, m in found if not m.startswith("..")]
    return [f"{path}:{n}: {m!r}" for n, m in found]


def shipped() -> list[str]:
    """Every file that git keeps or would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout: nobody knows which files are the project's")
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_file_names_what_is_not_the_projects() -> None:
    found = []
    for name in shipped():
        data = (ROOT / name).read_bytes()
        if b"\0" not in data[:4096]:
            found += offences(name, data.decode("utf-8", "replace"))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text", ["see " + "/wo" + "rk/x", "DATA = '../" + "shared/data'", "for iss" + "ue 7", "by sty" + "le.md, rule 3"]
)
def test_such_words_are_found(text: str) -> None:
    assert offences("README.md", text)


def test_the_folder_of_test_data_may_be_named_where_it_is_looked_for() -> None:
    text = "DATA = '../" + "shared/data'"
    assert not offences("tests/conftest.py", text)
    assert not offences("benchmarks/convert.py", text)
    assert not offences("README.md", "issues of this kind, the issue, ../shares, framework/x")
