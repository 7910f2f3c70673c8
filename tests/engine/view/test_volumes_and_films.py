"""Slices of volumes with what lies over them, and films with theirs, are what the stores hold."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from view_client import client_of

from tile_engine.engine.runtime.load import load
from tile_engine.engine.view import films
from tile_engine.engine.view.viewer import open_viewer
from tile_engine.errors import CorruptError
from tile_engine.stores.array import StoredArray
from tile_engine.stores.image import StoredImage


def pixels(content: bytes, mode: str = "RGB") -> Any:
    return np.asarray(Image.open(io.BytesIO(content)).convert(mode))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_is_a_plane_of_the_volume_with_superior_or_anterior_up(finished: Callable[..., Any], axis: int) -> None:
    out = finished("cluster", "volumes").out
    job = load(out)
    stored = job.stored(next(iter(job.slides)))
    frame = stored.frames[0]
    index = frame.shape[axis] // 3
    at = frame.origin[axis] + (index + 0.5) * frame.spacing[axis]
    plane = np.take(stored.read(frame.box)[0], index, axis)[::-1].astype(float)
    fine = StoredImage.open(job.folder.layer(next(iter(job.slides)), "assignment"))
    cell = int((at - fine.frames[0].origin[axis]) // fine.frames[0].spacing[axis])
    cells = np.take(fine.read(fine.frames[0].box)[0], cell, axis)[::-1]
    with client_of(out) as client:
        shown = pixels(client.bytes(f"runs/0/images/0/pictures/0/slice?axis={axis}&at={at}"))[..., 0]
        over = pixels(client.bytes(f"runs/0/images/0/overlays/0/slice?axis={axis}&at={at}"), "RGBA")
        lowest = pixels(client.bytes(f"runs/0/images/0/pictures/0/slice?axis={axis}&at=-1e9"))
    assert shown.shape == plane.shape and np.corrcoef(shown.ravel(), plane.ravel())[0, 1] > 0.99
    assert ((over[..., 3] > 0) == (cells > 0)).all()
    assert lowest.shape[:2] == plane.shape, "a position beyond the volume is its edge"


@pytest.mark.parametrize(
    ("name", "maps"), [("anomaly", ["error", "evidence"]), ("classify", ["gradcam"])], ids=["anomaly", "classify"]
)
def test_films_have_their_scores_and_maps(finished: Callable[..., Any], name: str, maps: list[str]) -> None:
    import tile_engine

    out = finished(name, "films").out
    table = tile_engine.open_run(out).table("films")
    stored = StoredArray.open(out / "films.zarr" / "films").read_all()
    with client_of(out) as client:
        shown = client.get("runs/0/films")
        assert client.get("runs")["runs"][0]["films"] is True
        film = pixels(client.bytes("runs/0/films/3"))
        clear = [pixels(client.bytes(f"runs/0/films/3/maps/{i}"), "RGBA")[..., 3] for i in range(len(maps))]
        assert client.ask("/api/runs/0/films/99999")[0] == client.ask("/api/runs/0/films/0/maps/9")[0] == 404
    assert shown["maps"] == maps and shown["texts"]["name"] == list(table.obs["name"])
    for i, score in enumerate(table.var_names):
        values = [np.nan if value is None else value for value in shown["scores"][score]]
        np.testing.assert_allclose(values, table.X[:, i])
    assert np.abs(film[..., 0].astype(int) - stored[3]).mean() < 6
    assert all(alpha.shape == stored.shape[1:] for alpha in clear)


def test_films_that_the_run_leaves_out_are_not_asked_for(
    finished: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = open_viewer(finished("anomaly", "films").out)
    lost, read, table = 5, films._read, films.read_table(viewer.out / "tables" / "films.zarr")
    table.obs["reason"] = ["the file cannot be read" if row < lost else "" for row in range(len(table.obs))]

    def read_film(viewer: Any, run: int, name: str, row: int) -> Any:
        if row < lost:  # a batch that was rejected has no shard
            raise CorruptError("a shard is missing")
        return read(viewer, run, name, row)

    monkeypatch.setattr(films, "read_table", lambda path: table)
    monkeypatch.setattr(films, "read_texts", lambda path: np.array(table.obs["reason"], object))
    monkeypatch.setattr(films, "_read", read_film)
    shown = json.loads(films.film_table(viewer, 0).content)
    assert shown["rows"] == list(range(lost, len(table.obs))) and shown["left_out"] == lost
    assert shown["texts"]["name"] == list(table.obs["name"])[lost:] and films.film_map(viewer, 0, lost, 0).content


@pytest.mark.parametrize(
    ("name", "variant", "kinds"),
    [
        ("sites", "slides", {"gradcam"}),
        ("anomaly", "volumes", {"anomaly: evidence"}),
        ("harmonize", "slides", set()),
    ],
)
def test_values_of_other_runs_lie_over_their_images(
    finished: Callable[..., Any], name: str, variant: str, kinds: set[str]
) -> None:
    with client_of(finished(name, variant).out) as client:
        images = len(client.get("runs")["runs"][0]["images"])
        documents = [client.get(f"runs/0/images/{i}") for i in range(images)]
    assert kinds <= {o["name"] for d in documents for o in d["overlays"] if o["kind"] == "values"}
    versions = {p["name"] for d in documents for p in d["pictures"] if "/" in p["name"]}
    assert versions == ({"harmonized/B"} if name == "harmonize" else set())
