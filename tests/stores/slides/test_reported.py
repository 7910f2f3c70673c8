"""Slides as public reports of other programs describe them; docs/faults.md names the reports."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr

from tile_engine.errors import SlideError, TileError
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.reader import open_slide

Image = np.ndarray[Any, Any]
HALF_UM: dict[str, Any] = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER"}
PLAIN: dict[str, Any] = {"photometric": "rgb", "tile": (64, 64), "compression": "zlib", "metadata": None}


def shapes(path: Path) -> list[tuple[int, ...]]:
    with open_slide(path) as slide:
        return [frame.shape for frame in slide.frames]


def refusal(path: Path) -> str:
    with pytest.raises(SlideError) as failure:
        open_slide(path)
    return failure.value.code


def resized(pixels: Image, height: int, width: int) -> Image:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))


def test_a_page_of_other_pixels_is_no_level(tmp_path: Path, picture: Any) -> None:
    """glencoesoftware/bioformats2raw#177: pages that get smaller, of several types, were taken for one pyramid."""
    scan = picture(320, 448)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(scan, **PLAIN, **HALF_UM)
        tif.write(picture(160, 224, 1, "uint16")[..., 0], tile=(64, 64), photometric="minisblack", metadata=None)
        tif.write(scan[::4, ::4], **PLAIN)
    with open_slide(tmp_path / "a.tif") as slide:
        assert [f.shape for f in slide.frames] == [(320, 448), (80, 112)]
        assert any("224 x 160" in note for note in slide.notes)


def test_levels_need_no_flag(tmp_path: Path, picture: Any) -> None:
    """openslide/openslide#328: a pyramid whose pages are not marked as reduced images was one level."""
    scan = picture(320, 448)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for step in (1, 2, 4):
            tif.write(scan[::step, ::step], **PLAIN, **HALF_UM)
    assert shapes(tmp_path / "a.tif") == [(320, 448), (160, 224), (80, 112)]


@pytest.mark.parametrize("up", [False, True])
def test_sides_of_levels_may_be_rounded_either_way(tmp_path: Path, picture: Any, up: bool) -> None:
    """pearcetm/GeoTIFFTileSource#38: levels whose sides were rounded were taken for other images."""
    scan = picture(331, 453)
    sizes = [(-(-331 // f), -(-453 // f)) if up else (331 // f, 453 // f) for f in (1, 2, 4)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for height, width in sizes:
            tif.write(resized(scan, height, width), **PLAIN, **HALF_UM)
    assert shapes(tmp_path / "a.tif") == sizes


def test_a_tiled_thumbnail_is_no_level(tmp_path: Path, picture: Any) -> None:
    """girder/large_image#943: a tiled thumbnail of another size than expected became a level."""
    scan = picture(320, 448)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(scan, **PLAIN, **HALF_UM)
        tif.write(resized(scan, 150, 240), **PLAIN)
        tif.write(scan[::2, ::2], subfiletype=1, **PLAIN)
    assert shapes(tmp_path / "a.tif") == [(320, 448), (160, 224)]


@pytest.mark.parametrize(
    ("options", "spacing"),
    [
        ({"resolution": (50800, 50800), "resolutionunit": "INCH"}, 0.5),  # openslide/openslide#516
        ({}, "E_NO_MPP"),  # marcinz606/NegPy#939: tifffile writes 1 x 1 without a unit
        (
            {"resolution": (72, 72), "resolutionunit": "INCH"},
            "E_BAD_MPP",
        ),  # ome/bioformats#3535: the default of a printer
        ({"imagej": True, "unit": "cm", "resolution": (2e4, 2e4)}, 0.5),  # ome/bioformats#3676
        ({"imagej": True, "unit": "\\u00B5m", "resolution": (2, 2)}, 0.5),
        ({"imagej": True, "unit": "inch", "resolution": (50800, 50800)}, 0.5),
        ({"imagej": True, "unit": "pixel", "resolution": (2, 2)}, "E_NO_MPP"),
    ],
)
def test_a_spacing_has_the_unit_that_is_stated(
    tmp_path: Path, picture: Any, options: dict[str, Any], spacing: float | str
) -> None:
    unit = options.pop("unit", None) if "unit" in (options := dict(options)) else None
    grey = picture(64, 80, 1)[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", grey, metadata={"unit": unit, "axes": "YX"} if unit else None, **options)
    if isinstance(spacing, str):
        assert refusal(tmp_path / "a.tif") == spacing
    else:
        with open_slide(tmp_path / "a.tif") as slide:
            assert slide.frames[0].spacing == pytest.approx((spacing, spacing))


def test_a_scanners_own_words_go_before_tags_of_another_unit(tmp_path: Path, picture: Any) -> None:
    """libvips/libvips#4669: crops kept the number of pixels a centimetre and called it pixels an inch."""
    words = "Aperio Image Library v12.0.15\r\n448x320 [0,0 448x320] (64x64) JPEG/RGB Q=95|AppMag = 20|MPP = 0.4990"
    tags = {"resolution": (20040, 20040), "resolutionunit": "INCH"}
    tifffile.imwrite(tmp_path / "a.tif", picture(320, 448), description=words, **PLAIN, **tags)
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.frames[0].spacing == (0.499, 0.499)


@pytest.mark.parametrize(
    ("axes", "channels", "said"),
    [("ZYX", 1, "5 focus planes; number 2"), ("TYX", 1, "5 time points; number 0"), ("CYX", 5, "")],
)
def test_planes_are_what_their_axis_says(tmp_path: Path, picture: Any, axes: str, channels: int, said: str) -> None:
    """cgohlke/tifffile#50, scifio/scifio#316, ome/bioformats#3920: focus planes, time points and channels were exchanged."""
    planes = np.stack([picture(64, 80, 1, "uint16")[..., 0] // 2 + 9 * i for i in range(5)])
    tifffile.imwrite(tmp_path / "a.tif", planes, imagej=True, metadata={"unit": "um", "axes": axes}, resolution=(2, 2))
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.channels == channels and said in " ".join(slide.notes)
        expected = planes if channels == 5 else planes[[2 if axes == "ZYX" else 0]]
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), expected)


def test_planes_that_are_called_channels_are_no_colours(tmp_path: Path, picture: Any) -> None:
    """arjunrajlaboratory/NimbusImage#491: tifffile tags four planes as RGB and alpha where it is left to guess."""
    planes = np.ascontiguousarray(picture(64, 80, 4, "uint16").transpose(2, 0, 1))
    options: dict[str, Any] = {"photometric": "rgb", "planarconfig": "separate", "extrasamples": ["UNASSALPHA"]}
    tifffile.imwrite(tmp_path / "a.tif", planes, metadata={"axes": "CYX"}, **options, **HALF_UM)
    with open_slide(tmp_path / "a.tif") as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), planes)
        assert "are channels" in slide.notes[-1] and slide.background == 0


def test_an_orientation_is_said_and_pixels_stay(tmp_path: Path, picture: Any) -> None:
    """openslide/openslide#391: what the tag says was not applied, without a word."""
    scan = picture(96, 128)
    tifffile.imwrite(tmp_path / "a.tif", scan, extratags=[(274, "H", 1, 6, True)], **PLAIN, **HALF_UM)
    with open_slide(tmp_path / "a.tif") as slide:
        assert "the orientation tag says 6" in slide.notes[-1]
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), scan.transpose(2, 0, 1))


def test_a_mask_of_zeros_and_ones_keeps_them(tmp_path: Path) -> None:
    """computationalpathologygroup/ASAP#143: a mask with the values 0 and 1 was read as all black."""
    mask = np.zeros((96, 128), np.uint8)
    mask[20:50, 30:90] = 1
    tifffile.imwrite(tmp_path / "a.tif", mask, tile=(64, 64), compression="zlib", metadata=None, **HALF_UM)
    with open_slide(tmp_path / "a.tif") as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box)[0], mask)


def test_one_level_in_one_strip_is_read(tmp_path: Path, picture: Any) -> None:
    """mahmoodlab/TRIDENT#60: slides of a single level were not processed."""
    scan = picture(320, 448)
    tifffile.imwrite(tmp_path / "a.tif", scan, photometric="rgb", rowsperstrip=320, metadata=None, **HALF_UM)
    with open_slide(tmp_path / "a.tif") as slide:
        np.testing.assert_array_equal(slide.read(Box((64, 5), (200, 300))), scan[64:200, 5:300].transpose(2, 0, 1))


JPEG_KINDS = {
    "jfif": ("ycbcr", "YCBCR", "444", True, False),
    "rgb without a marker": ("rgb", "RGB", "444", False, False),
    "rgb tag, jfif": ("rgb", "YCBCR", "420", True, False),
    "ycbcr tag, adobe rgb": ("ycbcr", "RGB", "444", True, False),
    "rgb tag, subsampled": ("rgb", "YCBCR", "420", False, False),
    "rgb tag, jfif, first tile absent": ("rgb", "YCBCR", "444", True, True),
    "rgb, first tile absent": ("rgb", "RGB", "444", False, True),
}


def without_markers(stream: bytes) -> bytes:
    """A JPEG without its JFIF and Adobe markers, with components 1, 2 and 3."""
    kept, at = bytearray(stream[:2]), 2
    while True:
        marker, size = stream[at + 1], 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        part = bytearray(stream[at : at + size])
        for i in range(3):
            if marker == 0xC0:
                part[10 + 3 * i] = i + 1
            elif marker == 0xDA:
                part[5 + 2 * i] = i + 1
        kept += part if marker not in (0xE0, 0xEE) else b""
        at += size
        if marker == 0xDA:
            return bytes(kept) + stream[at:]


@pytest.mark.parametrize("kind", JPEG_KINDS)
def test_colours_of_jpeg_are_what_its_streams_say(tmp_path: Path, kind: str) -> None:
    """girder/large_image#503, qupath/qupath#141: the tag and the streams of a file disagree."""
    from skimage.data import immunohistochemistry

    tag, stored, sampling, marked, gap = JPEG_KINDS[kind]
    pixels = cv2.GaussianBlur(immunohistochemistry()[:128, :256], (0, 0), 3)
    streams = [
        imagecodecs.jpeg8_encode(
            np.ascontiguousarray(pixels[:, x : x + 64][y : y + 64]),
            level=95, colorspace="RGB", outcolorspace=stored, subsampling=sampling,
        )
        for y in (0, 64) for x in range(0, 256, 64)
    ]  # fmt: skip
    tiles = iter([b"" if gap and not n else s if marked else without_markers(s) for n, s in enumerate(streams)])
    extra: dict[str, Any] = {"subsampling": (1, 1)} if tag == "ycbcr" else {"compressionargs": {"outcolorspace": "rgb"}}
    options: dict[str, Any] = {"shape": pixels.shape, "dtype": "uint8", "tile": (64, 64), "compression": "jpeg"}
    tifffile.imwrite(tmp_path / "a.tif", tiles, photometric=tag, metadata=None, **options, **extra, **HALF_UM)
    with open_slide(tmp_path / "a.tif") as slide:
        found = slide.read(slide.frames[0].box).astype(int)[:, :, 64:]
    assert np.abs(found - pixels.transpose(2, 0, 1)[:, :, 64:]).mean() < 3


@pytest.mark.parametrize("kind", ["cropped", "larger", "progressive", "grey"])
def test_jpegs_of_other_sizes_and_kinds_are_decoded(tmp_path: Path, picture: Any, kind: str) -> None:
    """openslide/openslide#564: tiles on the edge stored cropped, tiles larger than stated, progressive and grey ones."""
    scan = picture(150, 176)

    def tiles() -> Any:
        padded = np.pad(scan, ((0, 42), (0, 16), (0, 0)), mode="edge")
        for y in range(0, 150, 64):
            for x in range(0, 176, 64):
                tile = (scan if kind == "cropped" else padded)[y : y + 64, x : x + 64]
                tile = np.pad(tile, ((0, 8), (0, 16), (0, 0))) if kind == "larger" else tile
                if kind == "grey" and (y, x) == (64, 64):
                    yield imagecodecs.jpeg8_encode(np.ascontiguousarray(tile.mean(2).astype(np.uint8)), level=95)
                elif kind == "progressive":
                    import io

                    from PIL import Image as Picture

                    Picture.fromarray(tile).save(file := io.BytesIO(), "JPEG", quality=95, progressive=True)
                    yield file.getvalue()
                else:
                    yield imagecodecs.jpeg8_encode(np.ascontiguousarray(tile), level=95)

    options: dict[str, Any] = {"tile": (64, 64), "compression": "jpeg", "photometric": "ycbcr", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", tiles(), shape=scan.shape, dtype="uint8", **options, **HALF_UM)
    with open_slide(tmp_path / "a.tif") as slide:
        found = slide.read(slide.frames[0].box).transpose(1, 2, 0).astype(int)
    expected = scan.astype(int)
    if kind == "grey":
        expected[64:128, 64:128] = scan[64:128, 64:128].mean(2, keepdims=True)
    assert np.abs(found - expected).mean() < 12, "but for the loss of a noisy picture"


def test_a_slide_without_its_scanners_words_or_thumbnail_is_read(tmp_path: Path, picture: Any) -> None:
    """DigitalSlideArchive/ImageDePHI#141, ome/bioformats#3757: programs that remove names remove pages and descriptions."""
    scan = picture(512, 640)
    words = "Aperio Image Library v12.0.15\r\n640x512 [0,0 640x512] (64x64) JPEG/RGB Q=95|AppMag = 20|MPP = 0.4990"
    for name, description in (("a.svs", words), ("b.svs", None)):
        with tifffile.TiffWriter(tmp_path / name) as tif:
            tif.write(scan, description=description, **PLAIN)
            tif.write(scan[::4, ::4], **PLAIN)
    with open_slide(tmp_path / "a.svs") as slide:
        assert slide.frames[0].spacing == (0.499, 0.499)
    assert refusal(tmp_path / "b.svs") == "E_NO_MPP"
    with open_slide(tmp_path / "b.svs", 0.499) as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), scan.transpose(2, 0, 1))


def test_levels_padded_to_whole_tiles_are_not_believed(tmp_path: Path, picture: Any) -> None:
    """Philips TIFF without its description: a level of 192 cells that stand for 168."""
    scan = picture(336, 336)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for i, step in enumerate((1, 2, 4)):
            level = scan[::step, ::step]
            pad = -len(level) % 64
            padded = np.pad(level, ((0, pad), (0, pad), (0, 0)), constant_values=255)
            tif.write(padded, subfiletype=1 if i else 0, **PLAIN, **HALF_UM)
    with open_slide(tmp_path / "a.tif") as slide:
        for level, frame in enumerate(slide.frames):
            whole = slide.read(frame.box, level)
            factor = frame.spacing[0] / 0.5
            same = scan[:: int(factor), :: int(factor)] if factor in (1, 2, 4) else None
            assert same is not None and whole.shape[1] * factor == pytest.approx(384, abs=factor)
            np.testing.assert_array_equal(whole[:, : len(same), : len(same)], same.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("unit", "value", "spacing"),
    [
        ("pixel", 1, "E_NO_MPP"),
        ("reference frame", 0.5, "E_NO_MPP"),
        ("mm", 0.0005, 0.5),
        ("nm", 500, 0.5),
        ("µm", 0, "E_NO_MPP"),
    ],
)
def test_sizes_of_ome_have_units(tmp_path: Path, picture: Any, unit: str, value: float, spacing: float | str) -> None:
    """ome/bioformats#2030, openmicroscopy/openmicroscopy#3898, scifio/scifio#318."""
    size = f'PhysicalSizeX="{value}" PhysicalSizeY="{value}" PhysicalSizeXUnit="{unit}" PhysicalSizeYUnit="{unit}"'
    words = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image '
        'ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="128" SizeY="96" SizeC="3" SizeZ="1" '
        f'SizeT="1" {size}><Channel ID="Channel:0:0" SamplesPerPixel="3"/><TiffData IFD="0" PlaneCount="1"/></Pixels>'
        "</Image></OME>"
    )
    tifffile.imwrite(tmp_path / "a.ome.tif", picture(96, 128), description=words.encode(), **PLAIN)
    if isinstance(spacing, str):
        with pytest.raises(SlideError) as failure:
            open_slide(tmp_path / "a.ome.tif")
        assert failure.value.code == spacing and (not value or repr(unit) in failure.value.message)
    else:
        with open_slide(tmp_path / "a.ome.tif") as slide:
            assert slide.frames[0].spacing == pytest.approx((spacing, spacing))


def stored(path: Path, pixels: Image, names: str = "cyx", version: int = 2, **options: Any) -> Path:
    """An OME-Zarr of one level at 0.5 um, in chunks of 64."""
    group = zarr.create_group(path, zarr_format=version)
    chunks = {"chunks": tuple(min(64, n) for n in pixels.shape)} | options
    dtype = chunks.pop("dtype", pixels.dtype)
    group.create_array("0", shape=pixels.shape, dtype=dtype, **chunks)[...] = pixels
    scale = [{"type": "scale", "scale": [0.5 if n in "zyx" else 1.0 for n in names]}]
    axes = [
        {"name": n, "type": "space", "unit": "micrometer"} if n in "zyx" else {"name": n, "type": "channel"}
        for n in names
    ]
    content = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    group.attrs.update(
        {"multiscales": content} if version == 2 else {"ome": {"version": "0.5", "multiscales": content}}
    )
    return path


def a_chunk(path: Path) -> Path:
    """The file of the chunk (or shard) at row 1, column 1."""
    array = zarr.open_array(path / "0", mode="r")
    return path / "0" / str(array.metadata.encode_chunk_key((0, 1, 1)))


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def as_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [emptied, as_folder])
@pytest.mark.parametrize("version", [2, 3])
def test_a_chunk_file_without_content_is_lost(tmp_path: Path, picture: Any, version: int, damage: Any) -> None:
    """JuliaIO/Zarr.jl#264, mercator-ocean/oceanbench#318: zarr reads an empty shard, and what it cannot open, as fill value."""
    pixels = picture(150, 200).transpose(2, 0, 1)
    options = {"chunks": (3, 32, 32), "shards": (3, 64, 64)} if version == 3 else {}
    path = stored(tmp_path / "a.zarr", pixels, version=version, **options)
    damage(a_chunk(path))
    with open_slide(path) as slide:
        assert slide.absent(slide.frames[0].box) == [], "it is there"
        with pytest.raises(TileError):
            slide.read(slide.frames[0].box)
        np.testing.assert_array_equal(slide.read(Box((0, 0), (64, 200))), pixels[:, :64])


def test_axes_that_do_not_fit_the_array_are_refused(tmp_path: Path, picture: Any) -> None:
    """spatial-image/multiscale-spatial-image#41: the axes in the metadata had another order than the arrays."""
    path = stored(tmp_path / "a.zarr", picture(150, 200).transpose(2, 0, 1), names="yxc")
    assert refusal(path) == "E_UNSUPPORTED_PIXELS"


def test_of_several_multiscales_the_first_is_read_and_said_to_be(tmp_path: Path, picture: Any) -> None:
    """ome/ZarrReader#44: planes of two multiscales were mixed."""
    pixels = picture(150, 200).transpose(2, 0, 1)
    path = stored(tmp_path / "a.zarr", pixels)
    group = zarr.open_group(path)
    group.create_array("other", shape=pixels.shape, dtype="u1")[...] = 255 - pixels
    (first,) = group.attrs["multiscales"]  # type: ignore[misc]
    group.attrs["multiscales"] = [first, first | {"datasets": [first["datasets"][0] | {"path": "other"}]}]
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), pixels)
        assert any("2 multiscales; the first is read" in note for note in slide.notes)


def test_either_order_of_bytes_and_cells_is_read(tmp_path: Path, picture: Any) -> None:
    """bioformats2raw writes big-endian numbers by default; other writers lay columns first."""
    pixels = picture(150, 200, 4, "uint16").transpose(2, 0, 1)
    for name, options in (("a", {"dtype": ">u2"}), ("b", {"order": "F"})):
        with open_slide(stored(tmp_path / f"{name}.zarr", pixels, **options)) as slide:
            np.testing.assert_array_equal(slide.read(slide.frames[0].box), pixels)


def test_colours_of_jpeg_2000_in_dicom_are_converted(tmp_path: Path, data: Path) -> None:
    """openslide/openslide#772: frames under the irreversible colour transform."""
    import pydicom
    from skimage.data import immunohistochemistry

    pixels = np.ascontiguousarray(immunohistochemistry()[:128, :128])
    for name, syntax, meaning, reversible in (
        ("ict", "1.2.840.10008.1.2.4.91", "YBR_ICT", False),
        ("rct", "1.2.840.10008.1.2.4.90", "YBR_RCT", True),
    ):
        source = pydicom.dcmread(data / "wsi" / "openslide-python" / "boxes_0.dcm")
        packed = imagecodecs.jpeg2k_encode(
            pixels, level=0 if reversible else 60, reversible=reversible, mct=True, codecformat="j2k"
        )
        source.Rows = source.Columns = source.TotalPixelMatrixRows = source.TotalPixelMatrixColumns = 128
        source.NumberOfFrames, source.PhotometricInterpretation, source.PlanarConfiguration = 1, meaning, 0
        source.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
        source.PixelData = pydicom.encaps.encapsulate([packed])
        source["PixelData"].is_undefined_length = True
        (tmp_path / name).mkdir()
        source.save_as(tmp_path / name / "a.dcm")
        with open_slide(tmp_path / name / "a.dcm", 0.5) as slide:
            found = slide.read(slide.frames[0].box).astype(int)
        assert np.abs(found - pixels.transpose(2, 0, 1)).max() <= (0 if reversible else 20)
        shutil.rmtree(tmp_path / name)
