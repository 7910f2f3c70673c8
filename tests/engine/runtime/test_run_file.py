"""Files of a run: read for --config within limits and without unknown keys, written by runs, never over a file of a user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.api.running import with_file
from tile_engine.engine.runs import command, pipeline
from tile_engine.engine.runtime.run_file import read_run_file, write_run_file
from tile_engine.errors import SettingsError
from tile_engine.stores.folder import Folder

CLUSTER = command("cluster")


def written(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text)
    return path


def test_keys_are_those_of_python_and_the_command_goes_before(tmp_path: Path) -> None:
    path = written(tmp_path, "slides: [a, b]\nout: there\nk: 2-5\nmpp: 0.25\nseed: null\n")
    assert with_file("cluster", path, {}, None, {"k": "7"}) == (
        {"slides": ["a", "b"]}, "there", {"k": "7", "mpp": 0.25},
    )  # fmt: skip
    assert with_file("cluster", path, {"volumes": "v"}, "here", {})[:2] == ({"volumes": "v"}, "here")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pach: 64", "no key 'pach', did you mean 'patch'"),
        ("run: embed\nslides: a", "is of `tile-engine run embed`"),
        ("k: [", "is not valid YAML"),
        ("- slides", "holds a list and no `key: value` lines"),
        ("slides: 3", "slides = 3: give a path"),
        ("out: [a]", "give the path of a folder"),
        ("slides: !!python/object/apply:os.system [ls]", "is not valid YAML"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_run_file(written(tmp_path, text), CLUSTER)
    assert said in caught.value.message and caught.value.code == "E_CONFIG"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no file .*gone"):
        read_run_file(tmp_path / "gone", CLUSTER)


def test_a_file_of_the_users_stays_and_later_commands_keep_the_images(tmp_path: Path) -> None:
    spec = pipeline("cluster", "slides")
    settings: Any = spec.variant.settings
    write_run_file(spec, Folder(tmp_path), settings(effort="quick"), tmp_path / "slides")
    write_run_file(spec, Folder(tmp_path), settings(seed=4))
    told = read_run_file(tmp_path / "run.yaml", CLUSTER)
    assert (told.images, told.settings) == ({"slides": str(tmp_path / "slides")}, {"seed": 4})
    (tmp_path / "run.yaml").write_text("slides: mine\n")
    write_run_file(spec, Folder(tmp_path), settings(), tmp_path / "slides")
    assert (tmp_path / "run.yaml").read_text() == "slides: mine\n"
