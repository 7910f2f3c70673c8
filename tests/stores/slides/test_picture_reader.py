"""Plain pictures: depth, colours, transparency, and damage."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from tile_engine.errors import SlideError
from tile_engine.stores.slides.reader import open_slide


def read(path: Path) -> np.ndarray:
    with open_slide(path, 0.5) as slide:
        return slide.read(slide.frames[0].box)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("samples", [1, 3])
def test_png_of_8_and_16_bits_is_read_exactly(tmp_path: Path, dtype: str, samples: int) -> None:
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (20, 30, samples)).astype(dtype)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels.squeeze()))
    np.testing.assert_array_equal(read(tmp_path / "a.png"), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_is_transparent_is_white(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (6, 5), (10, 0) if mode == "LA" else (10, 20, 30, 0)).save(tmp_path / "a.png")
    pixels = read(tmp_path / "a.png")
    assert pixels.shape == (len(mode) - 1, 5, 6) and (pixels == 255).all()


def test_palette_and_cmyk_pictures_are_rgb(tmp_path: Path) -> None:
    Image.new("RGB", (6, 5), (200, 10, 10)).quantize(4).save(tmp_path / "p.png")
    assert read(tmp_path / "p.png")[:, 0, 0].tolist() == [200, 10, 10]
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "c.jpg", quality=95)
    red, green, blue = read(tmp_path / "c.jpg")[:, 8, 8].tolist()
    assert red > 240 and green < 15 and blue < 15


def test_exif_orientation_is_noted_and_pixels_stay_as_stored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "o.jpg", exif=exif)
    with open_slide(tmp_path / "o.jpg", 0.5) as slide:
        assert slide.frames[0].shape == (20, 40)
        assert any("orientation says 6" in note for note in slide.notes)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    for side in (15_000, 200_000):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 99)))
        with pytest.raises(SlideError) as failure:
            open_slide(tmp_path / "b.png", 0.5)
        assert failure.value.code == "E_BOMB"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jp2"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_picture_cut_short_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"a{suffix}")
    whole = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SlideError) as failure:
        open_slide(tmp_path / f"cut{suffix}", 0.5)
    assert failure.value.code in ("E_TRUNCATED", "E_UNREADABLE")
