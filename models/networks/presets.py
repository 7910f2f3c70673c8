"""Presets of networks for volumes: the sizes of published networks, by name."""

from __future__ import annotations

from typing import Any

from ...errors import SettingsError
from .cae3d import CAE3D

NETWORK_PRESETS: dict[str, dict[str, Any]] = {
    "onga": {"shape": (80, 96, 80), "widths": (16, 32, 64, 128), "embedding_size": 150},
    "arai": {"shape": (160, 192, 160), "widths": (16, 32, 64, 128, 128), "embedding_size": 150},
    **{
        f"yamaguchi-{blocks}x{maps}": {"shape": (80, 96, 80), "widths": (16, 32, 64, 64)[:blocks], "maps": maps}
        for blocks in (1, 2, 3, 4)
        for maps in (1, 4, 16, 32)
    },
}
"""Name -> arguments of `CAE3D`; `yamaguchi-3x16` has three blocks and an embedding of sixteen maps."""


def network_preset(name: str, **changes: Any) -> CAE3D:
    """The network of a preset with some arguments changed: `network_preset("onga", shape=(64, 64, 64))`."""
    if name not in NETWORK_PRESETS:
        raise SettingsError(f"there is no network '{name}'. Use one of {', '.join(NETWORK_PRESETS)}.")
    return CAE3D(**{**NETWORK_PRESETS[name], **changes})
