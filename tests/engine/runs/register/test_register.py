"""run register: a stack of what was registered, what is said of a rejected pair, and maps that another run takes over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine import ClusterOptions, RunOptions, open_run
from tile_engine.engine.api.running import run
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runtime.load import load
from tile_engine.models.registration import fit
from tile_engine.models.registration.transform import Field, PairFit, Stage
from tile_engine.stores.ngff import omero
from tile_engine.stores.warps.stored import accepted

pytestmark = pytest.mark.xdist_group("register-sections")


@pytest.fixture(scope="module")
def registered(finished: Callable[[str, str], Any]) -> Any:
    return finished("register", "sections")


def test_the_stack_has_three_named_channels_a_stain_and_a_missing_one_is_background(registered: Any) -> None:
    result = open_run(registered.out)
    one, two = result.images.values()
    assert one.shape == two.shape == (9, 96, 96)
    assert (np.asarray(two)[6:] == 255).all() and (np.asarray(one)[6:] != 255).any()
    store = next((registered.out / "sections").glob("one-*")) / "zarr.json"
    channels = json.loads(store.read_text())["attributes"]["ome"]["omero"]["channels"]
    assert [c["label"] for c in channels[:4]] == ["HE red", "HE green", "HE blue", "PanCK red"]
    assert [c["color"] for c in channels[3:6]] == ["FF0000", "00FF00", "0000FF"]


def test_the_reference_is_not_interpolated(registered: Any) -> None:
    job = load(registered.out)
    for block, record in job.slides.items():
        stack = np.asarray(open_run(registered.out).image(block))
        from PIL import Image

        assert np.array_equal(stack[:3], np.moveaxis(np.asarray(Image.open(record.reference.path)), -1, 0))


def test_the_table_and_the_figures_have_a_row_a_pair(registered: Any) -> None:
    result = open_run(registered.out)
    table = result.table("pairs")
    assert [tuple(row) for row in table.obs[["block", "stain", "landmarks"]].to_numpy()] == [
        ("one", "PanCK", 3),
        ("one", "Ki67", 3),
        ("two", "PanCK", 3),
    ]
    figures = json.loads((registered.out / "evaluation.json").read_text())
    assert figures["all"]["pairs"] == 3 and len(figures["pairs"]) == 3
    medians = [one["median"] for one in figures["pairs"].values()]
    assert figures["all"]["average_median"] == pytest.approx(np.mean(medians))
    assert np.allclose(table.X[:, list(table.var_names).index("rtre_median")], medians)
    page = (registered.out / "report.html").read_text()
    assert "Landmarks" in page and "one_PanCK" not in page and page.count("data:image/png") >= 3


def test_tissue_beyond_the_rim_of_a_section_is_left_out(
    registered: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shifted(reference: Any, moving: Any, **how: Any) -> PairFit:
        matrix = np.array([[1.0, 0, 30], [0, 1, 0]])  # the last 30 of 96 rows lie below the moving section
        return PairFit(matrix, None, (Stage("affine", True, 0.1, 0.2, "better", 0.1),))

    monkeypatch.setattr(fit, "register_pair", shifted)
    events: list[Event] = []
    registered.again(tmp_path / "out", report=events.append)
    assert any("of its tissue lies beyond the rim of some section" in event.text for event in events)
    for tissue in open_run(tmp_path / "out").layers("tissue").values():
        rows = (np.asarray(tissue) == 1).any(-1)
        assert rows[:40].any() and not rows[len(rows) * 66 // 96 + 1 :].any()


def folding(reference: Any, moving: Any, **how: Any) -> PairFit:
    """A fit whose field folds."""
    values = np.zeros((2, 9, 9), np.float32)
    values[1] = -3 * (np.arange(9) % 2) * 12
    return PairFit(np.eye(2, 3), Field(values, 12.0), (Stage("field", True, 0.1, 0.2, "better", 0.1),))


def test_a_pair_whose_field_folds_is_background_and_said(
    registered: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "register_pair", folding)
    events: list[Event] = []
    assert registered.again(tmp_path / "out", report=events.append).status == "done"
    said = [event.text for event in events if event.kind == "warning" and "is background in the stack" in event.text]
    assert len(said) == 3 and "PanCK is not registered to HE" in said[0] and "its field folds" in said[0]
    stack = np.asarray(next(iter(open_run(tmp_path / "out").images.values())))
    assert (stack[3:] == 255).all() and (stack[:3] != 255).any()
    assert not any(accepted(path) for path in (tmp_path / "out" / "transforms").glob("*/*.zarr"))
    assert "is not registered, and is background in the stack" in (tmp_path / "out" / "report.html").read_text()


def test_another_run_takes_over_the_maps(registered: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "register_pair", lambda *how, **more: pytest.fail("it was registered anew"))
    options = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",))
    run("register", {"sections": registered.out}, tmp_path / "out", options=options, settings=registered.settings)
    for path in sorted((registered.out / "transforms").rglob("*")):
        if path.is_file():
            assert (tmp_path / "out" / path.relative_to(registered.out)).read_bytes() == path.read_bytes()
    first, second = (load(out).slides for out in (registered.out, tmp_path / "out"))
    assert list(first) == list(second) and all(first[i].stains == second[i].stains for i in first)


def test_channels_without_names_keep_their_old_hints() -> None:
    assert [c["label"] for c in omero(3, "uint8")["channels"]] == ["red", "green", "blue"]


def test_a_section_that_cannot_be_read_any_more_costs_itself_and_not_its_block(
    registered: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tile_engine.engine.compute.resources import Resources
    from tile_engine.errors import SlideError

    plain = Resources.section

    def broken(self: Resources, job: Any, image: str, section: Any) -> Any:
        if section.stain == "Ki67":
            raise SlideError("the file is cut short.", "E_TRUNCATED")
        return plain(self, job, image, section)

    monkeypatch.setattr(Resources, "section", broken)
    done = registered.again(tmp_path / "out")
    assert done.status == "done" and done.exit_status == 3 and len(done.images) == 2
    assert [r["code"] for r in done.rejected.values()] == ["E_TRUNCATED"]
    one = next(image for block, image in done.images.items() if block.startswith("one"))
    assert (np.asarray(one)[6:] == 255).all() and (np.asarray(one)[3:6] != 255).any()
    (figures,) = [
        f for f in json.loads((done.out / "evaluation.json").read_text())["pairs"].values() if f["stain"] == "Ki67"
    ]
    assert figures["median"] > 0 and figures["robustness"] == 0
