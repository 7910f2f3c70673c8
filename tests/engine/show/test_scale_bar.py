"""Scale bars have round lengths."""

import pytest

from tile_engine.engine.show.scale_bar import scale_length


@pytest.mark.parametrize("limit", [0.07, 0.5, 3, 99.9, 100, 101, 999, 1000, 25_000])
def test_scale_lengths_are_round_and_fit(limit):
    length, _ = scale_length(limit)
    assert limit / 2.5 - 1e-9 <= length <= limit + 1e-9
    assert f"{length:e}"[0] in "125"
