"""Access rights of OUT: private where columns of a list are carried, and an open folder is reported."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runtime.access import claim
from tile_engine.errors import SettingsError
from tile_engine.stores.folder import Folder
from tile_engine.stores.slides.cohort import Cohort, SlideEntry

PLAIN = Cohort((SlideEntry("a", Path("a.svs"), "a.svs"),), (), Path())
LISTED = Cohort((SlideEntry("a", Path("a.svs"), "a.svs", extra={"age": "61"}),), (), Path(), listed=True)


@pytest.fixture(autouse=True)
def umask() -> object:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize(
    ("cohort", "mode", "rights"),
    [(PLAIN, None, 0o755), (LISTED, None, 0o700), (LISTED, "750", 0o750), (PLAIN, "0777", 0o777)],
)
def test_a_new_folder_has_the_rights_of_its_content_or_those_given(
    tmp_path: Path, cohort: Cohort, mode: str | None, rights: int
) -> None:
    told: list[Event] = []
    claim(Folder(tmp_path / "new" / "out"), cohort, mode, told.append)
    assert stat.S_IMODE((tmp_path / "new" / "out").stat().st_mode) == rights and not told


@pytest.mark.parametrize(
    ("cohort", "rights", "warned"),
    [(LISTED, 0o755, True), (LISTED, 0o711, True), (LISTED, 0o750, False), (PLAIN, 0o755, False)],
)
def test_a_folder_that_exists_keeps_its_rights_and_an_open_one_is_reported(
    tmp_path: Path, cohort: Cohort, rights: int, warned: bool
) -> None:
    told: list[Event] = []
    tmp_path.chmod(rights)
    claim(Folder(tmp_path), cohort, "700", told.append)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == rights
    assert ["chmod 700" in event.text for event in told] == [True] * warned


@pytest.mark.parametrize("mode", ["7", "rwx", "600", "1777", "789"])
def test_rights_with_which_no_run_can_work_are_refused(tmp_path: Path, mode: str) -> None:
    with pytest.raises(SettingsError, match="three octal digits"):
        claim(Folder(tmp_path / "out"), PLAIN, mode, lambda event: None)
    assert not (tmp_path / "out").exists()
