"""Sections: what lists and folders are read as, what is refused, which reference is chosen, what a block records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tile_engine.engine.images import sections as module
from tile_engine.engine.images.sections import inspect_sections
from tile_engine.engine.pipeline.record import InspectedCohort
from tile_engine.errors import SettingsError
from tile_engine.stores.slides.sections import find_sections


@pytest.fixture
def painted(tmp_path: Path) -> Callable[..., Path]:
    """Writes sections of given names, and returns their folder."""

    def paint(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((40, 50, 3), 200, np.uint8)).save(tmp_path / name)
        return tmp_path

    return paint


@pytest.fixture
def inspect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., InspectedCohort]:
    """Inspects a cohort without child processes."""
    from tile_engine.engine.images.look import _inspected, _of_slide
    from tile_engine.stores.slides.reader import open_slide

    monkeypatch.setattr(
        module, "look_at_slides", lambda items: [_inspected(open_slide, item, _of_slide) for item in items]
    )

    def inspected(spec: Path, **settings: Any) -> InspectedCohort:
        return inspect_sections(find_sections(spec), **{"mpp": 8.0, "spacing": None, **settings})

    return inspected


def listed(folder: Path, *rows: str, header: str = "file,block,stain,order,reference") -> Path:
    (folder / "list.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "list.csv"


def test_a_list_names_blocks_stains_and_the_reference(painted: Any, inspect: Any) -> None:
    folder = painted("a.png", "b.png", "c.png", "d.png")
    found = inspect(
        listed(folder, "a.png,one,HE,2,", "b.png,one,Ki67,1,yes", "c.png,two,HE,1,x", "d.png,two,CD31,2,no")
    )
    one, two = found.slides.values()
    assert (one.name, two.name) == ("one", "two") and one.channels == 9
    assert one.stains == two.stains == ("Ki67", "HE", "CD31")  # by the mean of their orders
    assert one.reference.stain == "Ki67" and two.reference.stain == "HE"
    assert one.section("CD31") is None and "has no section of CD31: its channels are background" in one.notes
    assert one.channel_names[:4] == ("Ki67 red", "Ki67 green", "Ki67 blue", "HE red")


def test_blocks_for_known_stains_have_their_channels_and_no_others(painted: Any, inspect: Any) -> None:
    folder = painted("a.png", "b.png")
    path = listed(folder, "a.png,one,HE,1,yes", "b.png,one,Ki67,2,")
    [one] = inspect(path, known=("CD31", "HE", "Ki67")).slides.values()
    assert one.stains == ("CD31", "HE", "Ki67") and one.channels == 9
    assert "has no section of CD31: its channels are background" in one.notes
    with pytest.raises(SettingsError, match=r"blocks in CD31, HE, and sections are in other stains: b.png \(Ki67\)"):
        inspect(path, known=("CD31", "HE"))


def test_one_stain_alone_keeps_its_section_and_the_reference(painted: Any, inspect: Any) -> None:
    folder = painted("a.png", "b.png", "c.png", "d.png", "e.png")
    (folder / "c.png").write_bytes(b"no picture")
    rows = ("a.png,one,HE,1,yes", "b.png,one,Ki67,2,", "c.png,one,CD31,3,", "d.png,two,HE,1,yes", "e.png,two,CD31,2,")
    path = listed(folder, *rows)
    found = inspect(path, only="Ki67")
    [one] = found.slides.values()
    assert one.stains == ("Ki67",) and one.channels == 3
    assert [(s.stain, s.reference) for s in one.sections] == [("HE", True), ("Ki67", False)]
    [(lost, why)] = found.rejected.items()
    assert lost.startswith("two") and why.code == "E_NO_STAIN" and "in Ki67 can be used" in why.message
    alone = inspect(path, only="HE").slides.values()
    assert [[s.stain for s in block.sections] for block in alone] == [["HE"], ["HE"]]


def test_by_one_stain_alone_a_reference_of_that_stain_needs_no_other_section(painted: Any, inspect: Any) -> None:
    folder = painted("a.png", "c.png")
    (folder / "b.png").write_bytes(b"no picture")
    (folder / "d.png").write_bytes(b"no picture")
    rows = ("a.png,one,HE,1,yes", "b.png,one,Ki67,2,", "c.png,two,HE,1,", "d.png,two,Ki67,2,yes")
    found = inspect(listed(folder, *rows), only="HE")
    [one] = found.slides.values()
    assert one.name == "one" and [s.stain for s in one.sections] == ["HE"]
    assert any(note.startswith("b.png is not used: ") for note in one.notes)
    [why] = found.rejected.values()
    assert why.code == "E_NO_REFERENCE" and "d.png cannot be used (" in why.message
    assert found.slides.keys() == inspect(listed(folder, *rows[:2]), only="HE").slides.keys()
    codes = {r.code for r in inspect(listed(folder, *rows)).rejected.values()}
    assert {"E_ONE_SECTION", "E_NO_REFERENCE"} < codes


def test_the_runs_of_all_stains_work_at_one_spacing(painted: Any, inspect: Any) -> None:
    from tile_engine.engine.runs.cluster.apart import blocks_of_stain, decide_stains_of_blocks
    from tile_engine.engine.runs.cluster.settings import ClusterSettings

    folder = painted("a.png", "b.png", "c.png", "d.png")
    rows = ("a.png,one,HE,1,yes,1", "b.png,one,Ki67,2,,1", "c.png,two,PAS,1,yes,8", "d.png,two,CD31,2,,8")
    cohort = find_sections(listed(folder, *rows, header="file,block,stain,order,reference,mpp"))
    stains = decide_stains_of_blocks(cohort, ClusterSettings(), None)
    chosen = {run.spacing for run in stains.runs}
    assert len(chosen) == 1 and None not in chosen and len(stains.runs) == 4
    assert chosen == {inspect_sections(cohort, mpp=None, spacing=None).spacing}
    alone = {inspect_sections(blocks_of_stain(cohort, run)[0], mpp=None, spacing=None).spacing for run in stains.runs}
    assert len(alone) == 2
    assert blocks_of_stain(cohort, stains.runs[0])[1] == {"stains": "together", "stain": "HE", "spacing": chosen.pop()}
    assert decide_stains_of_blocks(cohort, ClusterSettings(), stains) == stains
    stated = decide_stains_of_blocks(cohort, ClusterSettings(spacing=2.0), stains)
    assert {run.spacing for run in stated.runs} == {None}
    assert decide_stains_of_blocks(cohort, ClusterSettings(), stated) == stated  # as older versions left them


def test_sections_of_a_run_by_one_stain_keep_an_order_each(painted: Any, inspect: Any) -> None:
    from tile_engine.engine.images.registered import _entry

    folder = painted("a.png", "b.png")
    path = listed(folder, "a.png,one,Ki67,1,yes", "b.png,one,HE,2,")
    for only, orders in (("HE", ["0", "1"]), ("", ["0", "1"])):
        [record] = inspect(path, only=only).slides.values()
        assert [_entry(folder, record, one, "").extra["order"] for one in record.sections] == orders


def test_a_folder_of_folders_has_a_block_in_each(painted: Any, inspect: Any) -> None:
    folder = painted("rat/case_HE.png", "rat/case_PanCK.png", "lung/HE.png", "lung/CC10.png")
    found = inspect(folder)
    assert {r.name: [s.stain for s in r.sections] for r in found.slides.values()} == {
        "lung": ["CC10", "HE"],
        "rat": ["HE", "PanCK"],
    }
    assert found.notes == ("a block is a sub-folder: 2 blocks of 4 sections, stains CC10, HE, PanCK",)
    assert all(r.reference.stain == "HE" and "the one in HE" in r.notes[0] for r in found.slides.values())


def test_a_flat_folder_is_read_as_block_and_stain(painted: Any) -> None:
    cohort = find_sections(painted("a_b_HE.png", "a_b_Ki67.png"))
    assert [(e.extra["block"], e.extra["stain"]) for e in cohort.entries] == [("a_b", "HE"), ("a_b", "Ki67")]
    with pytest.raises(SettingsError, match=r"odd\.png: is neither in a folder of its block nor named BLOCK_STAIN"):
        find_sections(painted("odd.png"))


def test_all_problems_of_a_list_are_said_at_once(painted: Any) -> None:
    folder = painted("a.png", "b.png", "c.png", "d.png")
    rows = ("a.png,one,HE,first,yes", "b.png,one,HE,2,1", "c.png,one,,3,maybe", "d.png,,CD31,,")
    with pytest.raises(SettingsError) as error:
        find_sections(listed(folder, *rows))
    for text in (
        "its order 'first' is no number",
        "2 sections of the stain HE",
        "2 sections are its reference",
        "c.png: has no stain",
        "reference 'maybe' is neither yes nor no",
        "d.png: has no block",
    ):
        assert text in error.value.message
    assert error.value.code == "E_SECTIONS"


def test_a_block_of_one_section_is_rejected_and_so_is_one_without_its_reference(painted: Any, inspect: Any) -> None:
    folder = painted("a.png", "c.png", "d.png", "e.png")
    (folder / "b.png").write_bytes(b"no picture")
    rows = ("a.png,one,HE,1,", "b.png,two,HE,1,yes", "c.png,two,Ki67,2,", "d.png,three,HE,1,", "e.png,three,Ki67,2,")
    found = inspect(listed(folder, *rows))
    assert [r.name for r in found.slides.values()] == ["three"]
    codes = {r.name: r.code for r in found.rejected.values()}
    assert codes["one"] == "E_ONE_SECTION" and codes["two"] == "E_NO_REFERENCE" and "b.png" in codes


def test_the_middle_section_is_the_reference_where_none_is_stated(painted: Any, inspect: Any) -> None:
    folder = painted("a.png", "b.png", "c.png")
    (record,) = inspect(listed(folder, "a.png,one,HE,3,", "b.png,one,Ki67,2,", "c.png,one,CD31,1,")).slides.values()
    assert record.reference.stain == "Ki67"
    assert record.notes[0] == "no reference is stated: Ki67 is taken, the middle one by its order"


def test_sections_of_several_spacings_and_without_one_are_said(painted: Any, inspect: Any) -> None:
    folder = painted("a.png", "b.png", "c.png")
    rows = ("a.png,one,HE,8", "b.png,one,Ki67,4", "c.png,one,CD31,")
    found = inspect(listed(folder, *rows, header="file,block,stain,mpp"), mpp=None)
    (record,) = found.slides.values()
    assert found.spacing == 8  # the coarsest of the block, so that no section is left out
    assert "its sections differ in micrometres a pixel (HE 8, Ki67 4)" in " ".join(record.notes)
    assert [(r.name, r.code) for r in found.rejected.values()] == [("c.png", "E_NO_MPP")]


def test_columns_on_which_all_sections_agree_are_the_blocks_own(painted: Any, inspect: Any) -> None:
    folder = painted("a.png", "b.png")
    rows = ("a.png,one,HE,m1,old,x", "b.png,one,Ki67,m1,old,y")
    (record,) = inspect(listed(folder, *rows, header="file,block,stain,subject,group,room")).slides.values()
    assert record.subject == "m1" and record.columns == {"group": "old"}
    assert "its sections differ in room" in " ".join(record.notes)


def test_landmarks_beside_a_picture_are_found_and_a_missing_file_is_refused(painted: Any, inspect: Any) -> None:
    folder = painted("x/HE.png", "x/Ki67.png")
    for name in ("HE", "Ki67"):
        (folder / "x" / f"{name}.csv").write_text(",X,Y\n1,3,4\n")
    found = inspect(folder)
    (record,) = found.slides.values()
    assert all(section.landmarks.endswith(f"{section.stain}.csv") for section in record.sections)
    assert "landmarks are read from the CSV beside its picture, of 2 sections" in found.notes
    (folder / "x" / "HE.csv").write_text(",X,Y\n1,3,5\n")
    (changed,) = inspect(folder).slides.values()
    assert changed.key == record.key and changed.columns_digest != record.columns_digest
    with pytest.raises(SettingsError, match=r"its landmarks none\.csv do not exist"):
        find_sections(
            listed(folder, "x/HE.png,one,HE,none.csv", "x/Ki67.png,one,Ki67,", header="file,block,stain,landmarks")
        )


def test_a_csv_beside_a_picture_that_holds_no_points_is_no_landmarks(painted: Any, inspect: Any) -> None:
    folder = painted("x/HE.png", "x/Ki67.png")
    (folder / "x" / "HE.csv").write_text("Image,Area\nHE,3\n")
    found = inspect(folder)
    (record,) = found.slides.values()
    assert all(not section.landmarks for section in record.sections)
    assert any("HE.csv beside its picture holds no landmarks" in note for note in found.notes)
    with pytest.raises(SettingsError, match=r"points need X and Y"):
        find_sections(
            listed(folder, "x/HE.png,one,HE,x/HE.csv", "x/Ki67.png,one,Ki67,", header="file,block,stain,landmarks")
        )


def test_a_stain_that_a_list_states_without_blocks_is_kept(painted: Any) -> None:
    folder = painted("a_1.png", "a_2.png")
    cohort = find_sections(listed(folder, "a_1.png,HE", "a_2.png,Ki67", header="file,stain"))
    assert [entry.extra["stain"] for entry in cohort.entries] == ["HE", "Ki67"]


def test_another_block_changes_nothing_of_those_that_are_there(painted: Any, inspect: Any) -> None:
    folder = painted("a/HE.png", "a/Ki67.png")
    (before,) = inspect(folder).slides.values()
    both = inspect(painted("b/HE.png", "b/Ki67.png")).slides
    assert len(both) == 2 and both[before.id].key == before.key
    assert set(before.files) == {(s.path, s.fingerprint) for s in before.sections}


def test_another_stain_in_a_block_changes_the_stacks_of_others_and_not_their_maps(painted: Any, inspect: Any) -> None:
    folder = painted("a/HE.png", "a/Ki67.png", "b/HE.png", "b/Ki67.png")
    before = {r.name: r for r in inspect(folder).slides.values()}
    after = {r.name: r for r in inspect(painted("b/CD31.png")).slides.values()}
    assert after["a"].channels == 9 and after["a"].key != before["a"].key
    assert after["a"].sections_key == before["a"].sections_key and after["b"].sections_key != before["b"].sections_key


def test_a_section_whose_file_is_cut_short_costs_itself_and_not_the_block(painted: Any, inspect: Any) -> None:
    folder = painted("a.png", "b.png", "c.png")
    pixels = np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8)
    tifffile.imwrite(folder / "d.tif", pixels, photometric="rgb", tile=(64, 64), metadata=None)
    whole = (folder / "d.tif").read_bytes()
    rows = ("a.png,one,HE,1,x", "b.png,one,Ki67,2,", "d.tif,one,CD31,3,")
    assert len(inspect(listed(folder, *rows)).slides) == 1
    (folder / "d.tif").write_bytes(whole[:-200_000])
    found = inspect(listed(folder, *rows), limit=0.01)
    assert [one.code for one in found.rejected.values()] == ["E_TRUNCATED"]
    assert [len(one.sections) for one in found.slides.values()] == [2]
