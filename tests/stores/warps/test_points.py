"""Tables of points: what they hold is read, and what may mean two things is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tile_engine.errors import SettingsError
from tile_engine.stores.warps.points import read_points


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "points.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_points_are_y_and_x_in_pixels_whatever_separates_their_cells(tmp_path: Path) -> None:
    for text in (",X,Y\n0,12345.5,7\n", "X;Y\n12345,5;7,0\n"):
        assert read_points(table(tmp_path, text)).points.tolist() == [[7, 12345.5]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('X,Y\n"12,345",7\n', "'12,345' may have a sign between thousands"),
        ('X,Y\n5,"1,234,567.5"\n', "'1,234,567.5' may have a sign"),
        (b"PK\x03\x04" + bytes(20), "it is no text; save it as CSV in UTF-8"),
        ("", "it is empty"),
        ("X,Y\n1,\n", "lines without two numbers: 2"),
        ("x;z\n1;2\n", "points need X and Y"),
    ],
)
def test_what_is_no_table_of_points_is_refused_with_its_reason(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_points(table(tmp_path, text))
    assert said in caught.value.message and caught.value.code == "E_POINTS"
