"""What a new list says of volumes is spelt as the run spells it, so that its subjects and classes are those of the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tile_engine.engine.search.run_spelling import spelt_as_run


@dataclass
class Record:
    subject: str
    site: str = ""
    columns: dict[str, str] = field(default_factory=dict)


def test_subjects_sites_and_classes_of_the_run_have_its_spelling_and_others_their_own() -> None:
    run: list[Any] = [Record("P01", "Site 1", {"Dx": "AD"}), Record("P02", "Site 2", {"Dx": "CN"})]
    new: list[Any] = [
        Record("p01", "site1", {"DX": "ad", "age": "61"}),
        Record("P02", "Site 2", {"Dx": "MCI"}),
        Record("q"),
    ]
    spelt, (note,) = spelt_as_run(new, run, "Dx")
    assert [(one.subject, one.site, one.columns) for one in spelt] == [
        ("P01", "Site 1", {"Dx": "AD", "age": "61"}), ("P02", "Site 2", {"Dx": "MCI"}), ("q", "", {}),
    ]  # fmt: skip
    for text in ("subject 'p01' -> 'P01'", "site 'site1' -> 'Site 1'", "Dx 'ad' -> 'AD'", "column 'DX' -> 'Dx'"):
        assert text in note
    assert spelt_as_run(spelt, run, "Dx") == (spelt, [])
