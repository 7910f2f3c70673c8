"""Volumes and their reconstructions: three middle planes of each, above as it went in, below as it came out."""

import numpy as np

from tile_engine.engine.show import reconstructions
from tile_engine.engine.show.reconstructions import ReconstructedVolume, draw_reconstructions


def test_three_middle_planes_before_and_after(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(reconstructions, "save", lambda figure, path: figures.append(figure) or path)
    before, after = np.random.default_rng(0).random((2, 4, 6, 8))
    draw_reconstructions(
        tmp_path / "a.png", [ReconstructedVolume("case", 0.125, before, after)], spacing=(2.0, 1.0, 1.0)
    )
    drawn = [
        np.asarray(a.get_array())[..., 0] / 255 for a in figures[0].artists if str(a.get_gid()).startswith("plane")
    ]
    expected = [volume.take(n // 2, axis)[::-1] for volume in (before, after) for axis, n in enumerate((4, 6, 8))]
    assert len(drawn) == 6
    for found, plane in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(found, plane, atol=1 / 255)
    assert "case · rmse 12.5%" in [text.get_text() for text in figures[0].texts]
