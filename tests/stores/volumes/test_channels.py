"""Channels of a store are chosen by number, and a network of whole volumes is not left to take the first one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.runs.embed.settings import EmbedSettings
from tile_engine.engine.steps.volumes.prepare import check_one_channel
from tile_engine.errors import SettingsError, SlideError
from tile_engine.stores.frame import Box
from tile_engine.stores.volumes.cohort import find_volumes
from tile_engine.stores.volumes.reader import open_volume

CELLS = np.random.default_rng(0).integers(1, 999, (2, 3, 5, 6, 7)).astype(np.int16)  # t, c, z, y, x


@pytest.fixture
def store(tmp_path: Path) -> Path:
    import zarr

    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="w", zarr_format=3)
    group.create_array("0", shape=CELLS.shape, chunks=(1, 1, 5, 6, 7), dtype="int16")[:] = CELLS
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "millimeter"} for name in "zyx"]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0] * 5}]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"name": "a", "axes": axes, "datasets": datasets}]}
    return tmp_path / "a.ome.zarr"


@pytest.mark.parametrize("channels", [(0,), (2,), (0, 2), (2, 0), (0, 1, 2)])
def test_chosen_channels_are_read_in_their_order(store: Path, channels: tuple[int, ...]) -> None:
    (entry,) = find_volumes(store, t=1, channels=channels).entries
    assert entry.part == f"t=1,c={'+'.join(map(str, channels))}"
    with open_volume(entry.path, entry.part) as volume:
        assert volume.channels == len(channels)
        np.testing.assert_array_equal(volume.read(volume.frames[0].box), CELLS[1, list(channels)])
        np.testing.assert_array_equal(volume.read(Box((1, 2, 3), (2, 4, 6))), CELLS[1, list(channels), 1:2, 2:4, 3:6])


def test_a_channel_that_is_not_there_is_refused(store: Path) -> None:
    for part in ("t=0,c=3", "t=0,c=one"):
        with pytest.raises(SlideError, match="has 3 channels, 0 to 2") as failure:
            open_volume(store, part)
        assert failure.value.code == "E_CHANNELS"


def test_settings_take_channels_as_numbers() -> None:
    assert EmbedSettings(channels="0, 2").channels == (0, 2) == EmbedSettings(channels=(0, 2)).channels  # type: ignore[arg-type]
    assert EmbedSettings(channels=1).channels == (1,) and EmbedSettings().channels is None  # type: ignore[arg-type]
    for wrong in ("a", "0,0", "-1"):
        with pytest.raises(ValueError, match="channels"):
            EmbedSettings(channels=wrong)  # type: ignore[arg-type]


def test_networks_of_whole_volumes_refuse_several_channels() -> None:
    def job(channels: int) -> Any:
        return SimpleNamespace(slides={"a": SimpleNamespace(channels=channels, name="a.ome.zarr")})

    check_one_channel(job(1))
    with pytest.raises(SettingsError, match="--channels 0") as failure:
        check_one_channel(job(2))
    assert failure.value.code == "E_CHANNELS"
