"""DICOM slides, whatever OpenSlide says of them: OpenSlide and the pixels that were written are the oracles."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from dicom_slides import TILE, at_position, tiles_of, write_slide
from pydicom.dataset import Dataset

from tile_engine.errors import SlideError, TileError
from tile_engine.stores.frame import Box
from tile_engine.stores.slides import dicom_frames
from tile_engine.stores.slides.dicom_reader import DicomPixels
from tile_engine.stores.slides.dicom_series import is_slide
from tile_engine.stores.slides.reader import open_slide, probe

Image = np.ndarray[Any, Any]
SYNTAX = "1.2.840.10008.1.2."


def pixels_of(path: Path, level: int = 0) -> Image:
    with open_slide(path) as slide:
        assert slide.reader == "dicom"
        return np.moveaxis(np.asarray(slide.read(slide.frames[level].box, level)), 0, -1)


@pytest.mark.parametrize(
    "name",
    [
        "highdicom/sm_image.dcm",
        "highdicom/sm_image_numbers.dcm",
        "openslide-python/boxes_0.dcm",
        "openslide-python/boxes_1.dcm",
    ],
)
def test_real_files_give_the_pixels_and_facts_of_openslide(data: Path, name: str) -> None:
    from tile_engine.stores.slides.openslide_reader import OpenSlidePixels

    ours, theirs = DicomPixels(data / "wsi" / name), OpenSlidePixels(data / "wsi" / name)
    assert ours.described.shapes == theirs.described.shapes and ours.described.stated == theirs.described.stated
    for level, shape in enumerate(ours.described.shapes):
        box = Box((0, 0), shape)
        np.testing.assert_array_equal(ours.read(box, level), theirs.read(box, level))
    ours.close()
    theirs.close()


def literal_runs(tile: Image) -> bytes:
    """RLE as DICOM has it, of runs of 128 different bytes."""
    planes = [tile[..., c].tobytes() for c in range(3)]
    runs = [b"".join(b"\x7f" + plane[i : i + 128] for i in range(0, len(plane), 128)) for plane in planes]
    starts = [64 + sum(map(len, runs[:i])) for i in range(3)]
    return struct.pack("<16I", 3, *starts, *[0] * 12) + b"".join(runs)


CODECS = {
    "native": ("1", None),
    "RLE": ("5", literal_runs),
    "JPEG 2000": ("4.90", lambda tile: imagecodecs.jpeg2k_encode(tile, level=0, reversible=True, codecformat="j2k")),
    "JPEG-LS": ("4.80", imagecodecs.jpegls_encode),
    "JPEG XL": ("4.201", lambda tile: imagecodecs.jpegxl_encode(tile, lossless=True)),
}


@pytest.mark.parametrize("codec", CODECS)
def test_every_lossless_codec_gives_what_was_written(tmp_path: Path, picture: Any, codec: str) -> None:
    scan = picture(150, 100)
    syntax, encode = CODECS[codec]
    write_slide(tmp_path / "a.dcm", tiles_of(scan), (150, 100), encode, syntax=SYNTAX + syntax)
    if codec == "JPEG XL":  # which pydicom does not know: written under a syntax of an equally long name
        known = (tmp_path / "a.dcm").read_bytes()
        (tmp_path / "a.dcm").write_bytes(known.replace(b"1.2.840.10008.1.2.4.201", b"1.2.840.10008.1.2.4.110"))
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.dcm"), scan)


@pytest.mark.parametrize("table", ["basic", "extended", "none", "fragments"])
def test_frames_are_found_with_and_without_a_table_of_offsets(tmp_path: Path, picture: Any, table: str) -> None:
    scan = picture(150, 100)
    encode = lambda tile: imagecodecs.jpeg2k_encode(tile, level=0, reversible=True, codecformat="j2k")  # noqa: E731
    write_slide(tmp_path / "a.dcm", tiles_of(scan), (150, 100), encode, syntax=SYNTAX + "4.90", table=table)
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.dcm"), scan)


def packed(path: Path, scan: Image) -> tuple[bytearray, int, list[int]]:
    """(the bytes of a slide in JPEG 2000, where its table of offsets begins, the offsets)."""
    encode = lambda tile: imagecodecs.jpeg2k_encode(tile, level=0, reversible=True, codecformat="j2k")  # noqa: E731
    tiles = tiles_of(scan)
    write_slide(path, tiles, (scan.shape[0], scan.shape[1]), encode, syntax=SYNTAX + "4.90")
    data = bytearray(path.read_bytes())
    at = data.index(b"\xfe\xff\x00\xe0" + struct.pack("<I", 4 * len(tiles))) + 8
    return data, at, list(struct.unpack_from(f"<{len(tiles)}I", data, at))


@pytest.mark.parametrize("fault", ["begins again", "is shifted", "repeats"])
def test_a_wrong_table_of_offsets_is_not_used(tmp_path: Path, picture: Any, fault: str) -> None:
    scan = picture(150, 100)
    data, at, right = packed(tmp_path / "a.dcm", scan)
    wrong = {
        "begins again": [*right[:4], *(one - right[4] for one in right[4:])],  # as 32 bits do above 4 GB
        "is shifted": [one + 2 for one in right],
        "repeats": [*right[:3], right[2], *right[4:]],
    }[fault]
    struct.pack_into(f"<{len(wrong)}I", data, at, *wrong)
    (tmp_path / "a.dcm").write_bytes(data)
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.dcm"), scan)


def test_an_offset_that_was_not_looked_at_costs_its_frames(
    tmp_path: Path, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = picture(150, 100)
    data, at, right = packed(tmp_path / "a.dcm", scan)
    struct.pack_into("<I", data, at + 4, right[1] + 2)
    (tmp_path / "a.dcm").write_bytes(data)
    monkeypatch.setattr(dicom_frames, "MAX_LOOKED_AT", 1)
    with open_slide(tmp_path / "a.dcm") as slide:
        for x in (0, 64):
            with pytest.raises(TileError, match=r"items of frame .* are not where") as failure:
                slide.read(Box((0, x), (10, x + 10)))
            assert failure.value.code == "E_DAMAGED_TILE"
        np.testing.assert_array_equal(slide.read(Box((64, 0), (150, 100))), np.moveaxis(scan[64:], -1, 0))


def jpeg(tile: Image, space: str, subsampling: str, marker: bool) -> bytes:
    data = imagecodecs.jpeg8_encode(tile, level=95, colorspace="RGB", outcolorspace=space, subsampling=subsampling)
    assert marker or data[2:4] == b"\xff\xe0"
    return data if marker else data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


JPEG_COLOURS = [("YCBCR", "420", True), ("YCBCR", "420", False), ("YCBCR", "422", False), ("RGB", "444", True)]


@pytest.mark.parametrize(("space", "subsampling", "marker"), JPEG_COLOURS)
def test_jpeg_is_ycbcr_where_its_stream_says_so_though_the_tag_says_rgb(
    tmp_path: Path, picture: Any, space: str, subsampling: str, marker: bool
) -> None:
    scan = picture(128, 128)
    write_slide(
        tmp_path / "a.dcm", tiles_of(scan), (128, 128), lambda tile: jpeg(tile, space, subsampling, marker),
        syntax=SYNTAX + "4.50",
    )  # fmt: skip
    assert np.abs(pixels_of(tmp_path / "a.dcm").astype(int) - scan).mean() < 9


@pytest.mark.parametrize("codec", ["native", "JPEG-LS"])
def test_ycbcr_of_sixteen_bits_is_refused(tmp_path: Path, picture: Any, codec: str) -> None:
    scan = picture(64, 64, 3, "uint16")
    syntax, encode = CODECS[codec]
    tags = {"syntax": SYNTAX + syntax, "PhotometricInterpretation": "YBR_FULL"}
    write_slide(tmp_path / "a.dcm", tiles_of(scan), (64, 64), encode, **tags)
    with pytest.raises(SlideError, match="YBR_FULL of 16 bits") as failure:
        DicomPixels(tmp_path / "a.dcm")
    assert failure.value.code == "E_UNSUPPORTED_PIXELS"


def test_missing_and_misspelt_attributes_follow_from_others_and_are_said(tmp_path: Path, picture: Any) -> None:
    scan = picture(128, 192)
    groups = [at_position(y, x) for y in (0, 64) for x in (0, 64, 128)]
    without = {"TotalPixelMatrixRows": None, "TotalPixelMatrixColumns": None, "DimensionOrganizationType": "TILED FULL"}
    write_slide(
        tmp_path / "a.dcm", tiles_of(scan), (128, 192), **without, ImageType=None, PerFrameFunctionalGroupsSequence=groups,
        TotalPixelMatrixFocalPlanes=None,
    )  # fmt: skip
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.dcm"), scan)
    assert any("follows from its frames' positions" in note for note in probe(tmp_path / "a.dcm").notes)
    write_slide(tmp_path / "b.dcm", tiles_of(scan), (128, 192), **without, SeriesInstanceUID="1.9")
    with pytest.raises(SlideError, match="TotalPixelMatrixRows"):
        open_slide(tmp_path / "b.dcm")


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_sparse_tiles_are_laid_at_their_positions_and_the_others_are_absent(
    tmp_path: Path, picture: Any, syntax: str, undefined: bool
) -> None:
    scan = picture(128, 192)
    tiles, order = tiles_of(scan), [4, 0, 5]
    groups = [at_position(64 * (i // 3), 64 * (i % 3), 0.0, "a path") for i in order]
    for group in groups:  # lengths are stated, or sequences and items end with marks
        group.is_undefined_length_sequence_item = undefined
        for element in group:
            element.is_undefined_length = undefined
    write_slide(
        tmp_path / "a.dcm", [tiles[i] for i in order], (128, 192), DimensionOrganizationType="TILED_SPARSE",
        PerFrameFunctionalGroupsSequence=groups, syntax=syntax,
    )  # fmt: skip
    with open_slide(tmp_path / "a.dcm") as slide:
        whole = np.moveaxis(slide.read(slide.frames[0].box), 0, -1)
        gaps = slide.absent(slide.frames[0].box)
    assert sum(gap.size for gap in gaps) == 3 * TILE * TILE
    for i, tile in enumerate(tiles):
        y, x = 64 * (i // 3), 64 * (i % 3)
        np.testing.assert_array_equal(whole[y : y + 64, x : x + 64], tile if i in order else 255)


def test_of_frames_at_one_place_the_first_is_read_and_said(tmp_path: Path, picture: Any) -> None:
    scan = picture(64, 128)
    groups = [at_position(0, x) for _ in range(2) for x in (0, 64)]  # two focal planes that do not state their heights
    sparse = {"DimensionOrganizationType": "TILED_SPARSE", "PerFrameFunctionalGroupsSequence": groups}
    write_slide(tmp_path / "a.dcm", [*tiles_of(scan), *tiles_of(255 - scan)], (64, 128), **sparse)
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.dcm"), scan)
    (note,) = probe(tmp_path / "a.dcm").notes
    assert note.startswith("2 frames lie at the same place")


@pytest.mark.parametrize("known", [0, 1, 3])
def test_frames_without_a_position_are_refused(tmp_path: Path, picture: Any, known: int) -> None:
    groups = [at_position(0, 64 * (i % 2)) for i in range(known)]
    sparse = {"DimensionOrganizationType": "TILED_SPARSE", "PerFrameFunctionalGroupsSequence": groups}
    write_slide(tmp_path / "a.dcm", tiles_of(picture(64, 128)), (64, 128), **sparse)
    with pytest.raises(SlideError, match=f"has 2 frames and states the positions of {known}") as failure:
        DicomPixels(tmp_path / "a.dcm")
    assert failure.value.code == "E_MALFORMED"


def test_of_several_focal_planes_the_one_nearest_to_zero_is_read(tmp_path: Path, picture: Any) -> None:
    scan = picture(64, 128)
    stack = [scan // 2, scan, 255 - scan]
    frames = [tile for plane in stack for tile in tiles_of(plane)]
    for name, z, nearest in (("low.dcm", -2.0, 2), ("mid.dcm", -1.2, 1), ("above.dcm", 3.0, 0)):
        uid = f"1.2.{len(name)}"
        write_slide(tmp_path / name, frames, (64, 128), TotalPixelMatrixFocalPlanes=3, z=z, SeriesInstanceUID=uid)
        np.testing.assert_array_equal(pixels_of(tmp_path / name), stack[nearest])
        (note,) = probe(tmp_path / name).notes
        assert note.startswith("3 focal planes, from ") and "nearest to 0" in note
        (tmp_path / name).unlink()
    write_slide(
        tmp_path / "no.dcm", frames, (64, 128), TotalPixelMatrixFocalPlanes=3, TotalPixelMatrixOriginSequence=None
    )
    np.testing.assert_array_equal(pixels_of(tmp_path / "no.dcm"), stack[1])
    assert "without stated positions; number 1" in probe(tmp_path / "no.dcm").notes[0]


def test_focal_planes_in_files_of_their_own_and_parts_of_a_concatenation_are_one_slide(
    tmp_path: Path, picture: Any
) -> None:
    scan = picture(128, 128)
    for name, z, plane in (("a.dcm", -4.0, scan // 2), ("b.dcm", 1.0, scan), ("c.dcm", 5.0, 255 - scan)):
        write_slide(tmp_path / name, tiles_of(plane), (128, 128), z=z)
    for name in ("a.dcm", "c.dcm"):  # whichever file is named
        np.testing.assert_array_equal(pixels_of(tmp_path / name), scan)
    parts = tmp_path / "parts"
    parts.mkdir()
    tiles = tiles_of(scan)
    write_slide(parts / "1.dcm", tiles[:3], (128, 128), ConcatenationFrameOffsetNumber=0)
    write_slide(parts / "2.dcm", tiles[3:], (128, 128), ConcatenationFrameOffsetNumber=3)
    np.testing.assert_array_equal(pixels_of(parts / "2.dcm"), scan)


def test_optical_paths_of_grey_are_channels_of_sixteen_bits(tmp_path: Path, picture: Any) -> None:
    scan = picture(64, 128, 2, "uint16")
    frames = [tile for c in range(2) for tile in tiles_of(scan[..., c])]
    paths = [Dataset(), Dataset()]
    for number, path in enumerate(paths):
        path.OpticalPathIdentifier = f"dye {number}"
    write_slide(tmp_path / "a.dcm", frames, (64, 128), NumberOfOpticalPaths=2, OpticalPathSequence=paths)
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.dcm"), scan)


@pytest.mark.parametrize(("dtype", "stored"), [("uint8", 8), ("uint16", 16), ("uint16", 12)])
def test_white_stored_as_zero_is_turned_round_within_the_bits_that_hold_values(
    tmp_path: Path, picture: Any, dtype: str, stored: int
) -> None:
    scan = picture(64, 64, 1, dtype)[..., 0] & np.array(2**stored - 1, dtype)
    other_bits = np.array(2 ** (8 * scan.itemsize) - 2**stored, dtype)  # which readers must not see
    tags = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": stored, "HighBit": stored - 1}
    write_slide(tmp_path / "a.dcm", tiles_of(scan | other_bits), (64, 64), **tags)
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.dcm")[..., 0], 2**stored - 1 - scan)
    with open_slide(tmp_path / "a.dcm") as slide:
        assert slide.background == 2**stored - 1


def test_levels_are_files_of_the_series_and_labels_are_left_out(tmp_path: Path, picture: Any) -> None:
    scan = picture(256, 128)
    write_slide(tmp_path / "a.dcm", tiles_of(scan[::2, ::2]), (128, 64))
    write_slide(tmp_path / "b.dcm", tiles_of(scan), (256, 128))
    write_slide(
        tmp_path / "c.dcm", tiles_of(picture(512, 512)), (512, 512), ImageType=["ORIGINAL", "PRIMARY", "LABEL", "NONE"]
    )
    write_slide(tmp_path / "other.dcm", tiles_of(scan), (256, 128), SeriesInstanceUID="1.2.9")
    with open_slide(tmp_path / "a.dcm") as slide:
        assert [frame.shape for frame in slide.frames] == [(256, 128), (128, 64)] and slide.notes == ()


def test_damage_is_an_error_of_its_tile(tmp_path: Path, picture: Any) -> None:
    scan = picture(128, 128)
    encode = lambda tile: imagecodecs.jpeg8_encode(tile, level=90)  # noqa: E731
    write_slide(
        tmp_path / "a.dcm",
        tiles_of(scan),
        (128, 128),
        encode,
        syntax=SYNTAX + "4.50",
        PhotometricInterpretation="YBR_FULL_422",
    )
    whole = (tmp_path / "a.dcm").read_bytes()
    starts = [at for at in range(len(whole)) if whole.startswith(b"\xff\xd8\xff", at)]
    changed = bytearray(whole)
    changed[starts[1] + 700 : starts[1] + 900] = np.random.default_rng(3).integers(1, 255, 200, np.uint8).tobytes()
    for name, data, tile, code in (
        ("changed.dcm", bytes(changed), (0, 64), "E_DAMAGED_TILE"),
        ("short.dcm", whole[: starts[3] + 500], (64, 64), "E_TRUNCATED"),
    ):
        folder = tmp_path / name[:3]
        folder.mkdir()
        (folder / name).write_bytes(data)
        with open_slide(folder / name) as slide:
            slide.read(Box((0, 0), (64, 64)))
            with pytest.raises(TileError) as failure:
                slide.read(Box(tile, tuple(a + 64 for a in tile)))
            assert failure.value.code == code
            assert slide.cut == ((1, 4, 0.25) if name == "short.dcm" else (0, 4, 0.0),)


@pytest.mark.parametrize("encode", [None, lambda tile: imagecodecs.jpeg8_encode(tile, level=90)])
def test_frames_behind_the_end_of_a_file_are_told_without_reading_a_pixel(
    tmp_path: Path, picture: Any, encode: Any
) -> None:
    """Of the level that lies in that file alone."""
    scan = picture(192, 128)
    tags = {"syntax": SYNTAX + "4.50", "PhotometricInterpretation": "YBR_FULL_422"} if encode else {}
    write_slide(tmp_path / "a.dcm", tiles_of(scan), (192, 128), *([encode] if encode else []), **tags)
    write_slide(tmp_path / "b.dcm", tiles_of(scan[::2, ::2]), (96, 64), *([encode] if encode else []), **tags)
    with open_slide(tmp_path / "a.dcm") as slide:
        assert slide.cut == ((0, 6, 0.0), (0, 2, 0.0))
    data = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(data[: -(len(data) - 3000) // 2])
    with open_slide(tmp_path / "a.dcm") as slide:
        lost = slide.cut[0].lost
        assert slide.cut == ((lost, 6, lost / 6), (0, 2, 0.0)) and 2 <= lost <= 4
        for n, box in enumerate(slide.frames[0].box.cut((64, 64))):
            if n < 6 - lost:
                slide.read(box)
            else:
                with pytest.raises(TileError, match="cut short"):
                    slide.read(box)


def test_hostile_numbers_are_refused_before_memory_is_touched(tmp_path: Path, picture: Any) -> None:
    tiles = tiles_of(picture(64, 64))
    for i, tags in enumerate(
        (
            {"TotalPixelMatrixRows": 2**31 - 1, "TotalPixelMatrixColumns": 2**31 - 1},
            {"NumberOfFrames": 2**31 - 1},
            {"TotalPixelMatrixFocalPlanes": 2**31 - 1},
            {"Rows": 0},
        )
    ):
        path = tmp_path / str(i) / "a.dcm"
        path.parent.mkdir()
        write_slide(path, tiles, (64, 64), **tags)
        with pytest.raises(SlideError) as failure:
            DicomPixels(path)
        assert failure.value.code in ("E_TOO_BIG", "E_UNREADABLE", "E_MALFORMED")
    encode = lambda tile: imagecodecs.jpeg8_encode(np.zeros((4096, 4096, 3), np.uint8))  # noqa: E731
    write_slide(tmp_path / "bomb.dcm", tiles, (64, 64), encode, syntax=SYNTAX + "4.50")
    with open_slide(tmp_path / "bomb.dcm") as slide, pytest.raises(TileError) as bomb:
        slide.read(slide.frames[0].box)
    assert bomb.value.code == "E_BOMB"


def test_a_slide_that_is_damaged_is_not_given_to_a_parser_that_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser of OpenSlide ends the process on a header like this one."""
    import openslide

    def ends(*_: object) -> None:
        raise AssertionError("the file was given to OpenSlide")

    path = tmp_path / "a.dcm"
    write_slide(path, tiles_of(np.zeros((64, 64, 3), np.uint8)), (64, 64))
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\xe0\x7f\x10\x00")])
    monkeypatch.setattr(openslide, "OpenSlide", ends)
    monkeypatch.setattr(openslide.OpenSlide, "detect_format", ends, raising=False)
    with pytest.raises(SlideError, match="damaged or cut short") as caught:
        open_slide(path)
    assert caught.value.code == "E_UNREADABLE"


def test_elements_of_an_unknown_type_are_no_slide(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    write_slide(path, tiles_of(np.zeros((64, 64, 3), np.uint8)), (64, 64))
    data, element = path.read_bytes(), b"\x08\x00\x16\x00UI"
    assert data.count(element) == 1
    path.write_bytes(data.replace(element, element[:4] + b"\x55\x1e"))
    assert not is_slide(path)
