"""A whole pipeline as a script of LazySlide: tissue, tiles, a frozen encoder, k-means, a map. Run by its own interpreter.

```text
python peer_pipeline.py weights ENCODER.safetensors    a small vision transformer with random weights, and its recipe
python peer_pipeline.py run '{"slide": ..., "weights": ..., "out": ..., "k": 6, "stride": 64, "told": ...}'
```
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

PATCH, SPACING, BATCH = 128, 0.5, 128
RECIPE: dict[str, Any] = {
    "architecture": "vit",
    "width": 192,
    "depth": 6,
    "heads": 3,
    "patch_size": 16,
    "input_size": PATCH,
}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network() -> Any:
    import torch

    _declare_operators()
    import timm

    torch.manual_seed(0)
    sizes = {"embed_dim": RECIPE["width"], "depth": RECIPE["depth"], "num_heads": RECIPE["heads"]}
    return timm.models.VisionTransformer(PATCH, RECIPE["patch_size"], num_classes=0, **sizes).eval()


def _declare_operators() -> None:
    """torchvision's wheels on the package index are built for CUDA: beside torch for CPUs, its own operators do not load.

    None is used here, but timm imports torchvision, which fails over two that are not declared.
    """
    import torch
    from torch import library

    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def write_weights(path: Path) -> None:
    from safetensors.torch import save_file

    save_file(network().state_dict(), path)
    path.with_suffix(".json").write_text(json.dumps({**RECIPE, "mean": MEAN, "std": STD}))


def run(slide: str, weights: str, out: str, k: int, stride: int, told: str) -> None:
    import lazyslide as zs
    import matplotlib
    import numpy as np
    import torch
    from safetensors.torch import load_file
    from sklearn.cluster import KMeans
    from wsidata import open_wsi

    matplotlib.use("Agg")
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    encoder = network()
    encoder.load_state_dict(load_file(weights))
    clock = Stages()
    wsi = open_wsi(slide, store=str(Path(out) / "slide.zarr"))
    zs.pp.find_tissues(wsi, method="entropy")  # by default a fifteenth of this slide's tissue is found
    zs.pp.tile_tissues(wsi, PATCH, stride_px=stride, mpp=SPACING, slide_mpp=SPACING)
    clock.end("tiles")
    zs.tl.feature_extraction(
        wsi,
        encoder,
        model_name="vit",
        transform=lambda image: (torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255 - mean) / std,
        batch_size=BATCH,
        pbar=False,
    )
    clock.end("features")
    features = wsi.fetch.features_anndata("vit", tile_key="tiles").X
    wsi.shapes["tiles"]["cluster"] = KMeans(k, n_init=5, random_state=0).fit_predict(features).astype(str)
    clock.end("clusters")
    zs.pl.tiles(wsi, color="cluster")
    matplotlib.pyplot.savefig(Path(out) / "map.png", dpi=150)
    wsi.write()
    clock.end("map")
    versions = {name: version(name) for name in ("lazyslide", "torch")}
    Path(told).write_text(json.dumps({"tiles": len(features), "stages": clock.seconds, "versions": versions}))


class Stages:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    def end(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage], self._began = round(now - self._began, 2), now


if __name__ == "__main__":
    if sys.argv[1] == "weights":
        write_weights(Path(sys.argv[2]))
    else:
        run(**json.loads(sys.argv[2]))
