"""A run is one run: other settings or slides are refused with a diff and nothing touched; --redo keeps what is upstream."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.runtime.start import resume
from tile_engine.errors import SettingsError


def go(mini: Any, out: Path, *, slides: Path | None = None, redo: bool = False, **changes: Any) -> Any:
    options = RunOptions(cluster=ClusterOptions(cluster="none"), redo=redo)
    return tile_engine.cluster(slides or mini.slides, out, options=options, **{**mini.settings, **changes})


def stamps(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file: rewriting shows, even of the same bytes."""
    files = (p for p in ([root] if root.is_file() else root.rglob("*")) if p.is_file())
    return {p.relative_to(root).as_posix(): (p.stat().st_mtime_ns, p.stat().st_size) for p in files}


@pytest.mark.parametrize(
    ("change", "said", "redone", "kept"),
    [
        (
            {"k": "4"},
            "k: 2-3 -> 4\n",
            "to be done again: choose K, train heads, fine-tune, divide clusters, apply",
            "train autoencoder, embed views",
        ),
        (
            {"patch": 48},
            "patch: 32 -> 48",
            "to be done again: draw patches",
            "kept: overview, convert, pyramid and tissue",
        ),
        (
            {"stride": 8},
            "stride: 0 -> 8",
            "apply, order clusters, write layers, compare stains, UMAP, draw curves, match clusters, write labels, table",
            "convert",
        ),
        ({"codec": "lz4"}, "codec: zstd -> lz4", "to be done again: overview, convert", "kept: nothing"),
        ({"spacing": 1.0}, "spacing: not given -> 1.0", "to be done again: overview", "kept: nothing"),
        (
            {"umap": True},
            "umap: no -> yes",
            "to be done again: UMAP, draw curves, match clusters, write labels, table, draw maps, report",
            "write layers",
        ),
    ],
)
def test_a_changed_setting_is_refused_with_both_values_and_the_steps_and_nothing_is_touched(
    mini: Any, change: dict[str, Any], said: str, redone: str, kept: str
) -> None:
    before = stamps(mini.out)
    with pytest.raises(SettingsError) as caught:
        go(mini, mini.out, **change)
    assert caught.value.code == "E_OTHER_SETTINGS" and caught.value.exit_status == 2
    for words in (said, redone, "kept:", kept, "--redo"):
        assert words in caught.value.message, caught.value.message
    after = stamps(mini.out)
    assert {k for k in before | after if before.get(k) != after.get(k)} <= {"log.txt"}


@pytest.mark.nightly
def test_another_number_of_clusters_keeps_samples_and_autoencoder_and_redoes_the_heads_and_all_after_them(
    mini: Any, tmp_path: Path
) -> None:
    out = mini.copy(tmp_path / "out")
    samples = [path for path in (out / "samples.zarr").iterdir() if path.is_dir() and path.name != "umap"]
    upstream = [*samples, out / "models" / "autoencoder.safetensors", out / "models" / "autoencoder.json"]
    pixels = sorted(out.glob("slides/*/[0-9]")) + sorted(out.glob("slides/*/labels/tissue"))
    before = {p: stamps(p) for p in upstream + pixels}
    run = go(mini, out, redo=True, k="4")
    assert {p: stamps(p) for p in upstream + pixels} == before
    assert run.validity["range"] == [4, 4] and run.validity["k"] == 4
    assert len(run.shares.filter(like="cluster ").columns) == 4
    assert run.status == "done" and sum(len(layer) > 0 for layer in run.layers("clusters").values()) == 3
    fresh = go(mini, tmp_path / "fresh", k="4")
    assert mini.results(out) == mini.results(fresh.out), "as if the run had been begun with it"


def test_an_added_slide_is_refused_and_with_redo_the_others_stores_stay(mini: Any, tmp_path: Path) -> None:
    out, slides = mini.copy(tmp_path / "out"), tmp_path / "slides"
    shutil.copytree(mini.slides, slides)
    (slides / "below").mkdir()
    shutil.copy2(slides / "a.tif", slides / "below" / "d.tif")
    with pytest.raises(SettingsError) as caught:
        go(mini, out, slides=slides)
    assert "slide added: below/d.tif" in caught.value.message and "kept: overview, convert" in caught.value.message
    assert mini.results(out) == mini.results(mini.out)
    pixels = sorted(out.glob("slides/*/[0-9]")) + sorted(out.glob("slides/*/labels/tissue"))
    before = {p: stamps(p) for p in pixels}
    run = go(mini, out, slides=slides, redo=True)
    assert {p: stamps(p) for p in pixels} == before
    assert len(run.slides) == 4 and len(run.shares) == 4 and run.status == "done"


def test_a_slide_that_was_changed_or_taken_away_is_named(mini: Any, tmp_path: Path) -> None:
    out, slides = mini.copy(tmp_path / "out"), tmp_path / "slides"
    shutil.copytree(mini.slides, slides)
    (slides / "a.tif").unlink()
    shutil.copyfile(slides / "b.tif", slides / "c.tif")
    with pytest.raises(SettingsError) as caught:
        go(mini, out, slides=slides)
    assert "slide removed: a.tif" in caught.value.message and "slide changed: c.tif" in caught.value.message


def test_a_changed_spacing_is_no_changed_slide_and_words_stay_as_typed(mini: Any, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        go(mini, mini.out, spacing=1.0, effort="quick", umap=True)
    told = [line.strip() for line in caught.value.message.splitlines()]
    assert told[1:4] == ["umap: no -> yes", "effort: 0.02 -> quick", "spacing: not given -> 1.0"]
    assert "slide changed" not in caught.value.message


def test_moving_the_slides_or_out_changes_nothing(mini: Any, tmp_path: Path) -> None:
    out, slides = mini.copy(tmp_path / "elsewhere"), tmp_path / "cohort"
    shutil.copytree(mini.slides, slides)
    go(mini, out, slides=slides)
    assert mini.results(out) == mini.results(mini.out)


def test_a_stage_alone_does_not_remove_what_it_cannot_make_again(mini: Any, tmp_path: Path) -> None:
    """Not even with redo: what comes before the stage would be gone, and the stage could not begin."""
    out = mini.copy(tmp_path / "out")
    options = RunOptions(cluster=ClusterOptions(cluster="none"), redo=True, stages=("map",))
    with pytest.raises(SettingsError, match="Nothing was touched") as caught:
        resume(out, options=options, patch=48)
    assert caught.value.code == "E_STAGE_ORDER" and "patch: 32 -> 48" in caught.value.message
    assert mini.results(out) == mini.results(mini.out)
