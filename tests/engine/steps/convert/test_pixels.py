"""Pixels: chunks that are encoded where their tile was decoded are those of whole shards, whatever is damaged or absent."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from damage import emptied, zeroed

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.steps.convert import pixels


def hashes(out: Path) -> dict[str, str]:
    """Hash of each file of the stores, and what the receipts of the step say of the pixels."""
    files = {p.relative_to(out).as_posix(): p.read_bytes() for p in (out / "slides").rglob("*") if p.is_file()}
    receipts = [json.loads(p.read_text()) for p in sorted((out / "receipts" / "pixels").rglob("*.json"))]
    facts = [{name: r["facts"][name] for name in ("unreadable", "absent", "tile", "pixels")} for r in receipts]
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} | {"facts": json.dumps(facts)}


@pytest.mark.parametrize("kind", ["rgb", "grey"])
def test_a_chunk_encoded_where_its_tile_was_decoded_is_that_of_the_whole_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    rng = np.random.default_rng(3)
    shape = (2303, 701, 3) if kind == "rgb" else (2303, 701)  # two shards high, and clipped by odd edges
    picture = np.repeat(np.repeat(rng.integers(90, 250, shape, np.uint8)[::8, ::8], 8, 0), 8, 1)[: shape[0], : shape[1]]
    path = tmp_path / "a.tif"
    options: dict[str, Any] = {"compression": "jpeg", "photometric": kind if kind == "rgb" else "minisblack"}
    tifffile.imwrite(
        path,
        picture,
        tile=(256, 256),
        resolution=(20_000, 20_000),
        resolutionunit="CENTIMETER",
        metadata=None,
        **options,
    )
    zeroed(path, [4])
    emptied(path, [7])
    taken = []
    reader = pixels.chunk_reader

    def whole(*given: Any) -> Any:
        taken.append(reader(*given))

    how = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",))
    settings: dict[str, Any] = {"max_bad_tiles": 0.9, "threads": 1}
    tile_engine.cluster(path, tmp_path / "tiles", options=how, **settings)
    monkeypatch.setattr(pixels, "chunk_reader", whole)
    tile_engine.cluster(path, tmp_path / "shards", options=how, **settings)
    assert len(taken) == 1 and taken[0] is not None, "the first of the two took the tiles"
    found = hashes(tmp_path / "tiles")
    assert found == hashes(tmp_path / "shards")
    assert '"unreadable": [[256, 256, 512, 512]]' in found["facts"] and '"absent": [[512, 256' in found["facts"]
