"""The gallery of patches: a row for every cluster that has some."""

import numpy as np

from tile_engine.engine.show.legend import LegendEntry
from tile_engine.engine.show.patch_gallery import PatchKinds, patch_gallery

LEGEND = [LegendEntry(i, f"cluster {i}", 1 / 3) for i in (1, 2, 3)]


def test_gallery_leaves_out_clusters_without_patches(tmp_path):
    rng = np.random.default_rng(0)

    def kinds(count):
        return PatchKinds(*(rng.integers(0, 256, (n, 32, 32, 3), np.uint8) for n in (count, count, 1)))

    patches = {1: kinds(4), 3: kinds(2)}
    with_both = patch_gallery(tmp_path / "a.png", patches, legend=LEGEND, spacing=0.5)
    assert with_both.stat().st_size > patch_gallery(tmp_path / "b.png", {1: patches[1]}, legend=LEGEND).stat().st_size
    assert patch_gallery(tmp_path / "c.png", {}, legend=LEGEND).exists()
