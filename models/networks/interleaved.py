"""interleaved: patches as the convolutions of a CPU want them: channels last in memory, bytes as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]
MERGED = (torch.uint8, torch.uint16, torch.float32)
"""Types of which OpenCV merges planes."""


def interleaved(patches_BCYX: Tensor) -> Tensor:
    """The same patches, channels last in memory; those of one channel, of volumes and on a GPU are returned as they are.

    OpenCV merges the planes of a patch in a quarter of the time that torch takes to copy them into this layout.
    """
    import cv2

    last = patches_BCYX.is_contiguous(memory_format=torch.channels_last) if patches_BCYX.ndim == 4 else True
    if last or patches_BCYX.dtype not in MERGED or patches_BCYX.device.type != "cpu":
        return patches_BCYX
    patches = patches_BCYX.numpy()
    merged_BYXC = np.empty((len(patches), *patches.shape[2:], patches.shape[1]), patches.dtype)
    for patch_CYX, merged_YXC in zip(patches, merged_BYXC, strict=True):
        cv2.merge(list(patch_CYX), merged_YXC)
    return torch.from_numpy(merged_BYXC).permute(0, 3, 1, 2)


def look_up(bytes_BCYX: Tensor, table: Array, out_BCYX: Tensor) -> None:
    """The value (256,) of each byte, into memory of the same layout without gaps: in 0.4 of the time of arithmetic on bytes."""
    import cv2

    cv2.setNumThreads(1)  # batches run in parallel already
    bytes_BN, out_BN = (t.as_strided((len(t), t[0].numel()), (t.stride(0), 1)) for t in (bytes_BCYX, out_BCYX))
    cv2.LUT(bytes_BN.numpy(), table, out_BN.numpy())
