"""formats: each reader on each format and compression: correct?, MPix/s of sequential reads, random patches a second.

files     one picture written in every format, and the slides of TILE_ENGINE_DATA (or ../shared/data), folder wsi
correct   against what was written where the compression is lossless; else against OpenSlide where it opens the file, else
          against tifffile's own decoding of the page; "=" is the same pixels, "2" a largest difference of 2
damage    with 6 changed bytes in 16 of its tiles: how many the reader notices (fastslide: none of one file; of another it
          never came to an end, so it is not asked)
rates     blocks of 1024 pixels along rows, then patches of 256 at random places, a thread a core; each row also as a ratio to
          the fastest reader of the same file in the same run
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from slides import CACHE, cores, table

from tile_engine.errors import TileEngineError
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.fastslide_reader import FastSlidePixels
from tile_engine.stores.slides.file_head import head_of
from tile_engine.stores.slides.reader import SLIDE_READERS, probe

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))  # writers of DICOM and CZI
DATA = Path(os.environ.get("TILE_ENGINE_DATA") or ROOT.parent / "shared" / "data") / "wsi"
SIDE, BLOCK, PATCH, PATCHES, TILE = 3072, 1024, 256, 200, 256
LIMIT, PROBE = 1.0, 20.0
"""Seconds of one measurement, and of a first patch, at most."""
TIFFS: dict[str, dict[str, Any]] = {
    "JPEG, YCbCr 4:2:0": {"compression": "jpeg", "compressionargs": {"level": 80}, "subsampling": (2, 2)},
    "JPEG, RGB": {"compression": "jpeg", "compressionargs": {"level": 80, "outcolorspace": "rgb"}},
    "JPEG 2000": {"compression": "jpeg2000", "compressionargs": {"level": 45, "reversible": False}},
    "JPEG XL": {"compression": "jpegxl", "compressionargs": {"distance": 1.0}},
    "WebP": {"compression": "webp", "compressionargs": {"level": 80, "lossless": False}},
    "deflate": {"compression": "zlib", "predictor": True},
    "LZW": {"compression": "lzw", "predictor": True},
    "Zstandard": {"compression": "zstd", "predictor": True},
    "none": {},
    "none, strips": {"tile": None, "rowsperstrip": 16},
}
LOSSLESS = ("deflate", "LZW", "Zstandard", "none", "none, strips", "native", "JPEG-LS", "fluorescence", "brightfield")
DICOMS: dict[str, tuple[str, Callable[[Any], bytes] | None]] = {
    "JPEG": ("1.2.840.10008.1.2.4.50", lambda tile: imagecodecs.jpeg8_encode(tile, level=80)),
    "JPEG 2000": (
        "1.2.840.10008.1.2.4.91",
        lambda tile: imagecodecs.jpeg2k_encode(tile, level=45, reversible=False, codecformat="j2k"),
    ),
    "JPEG-LS": ("1.2.840.10008.1.2.4.80", imagecodecs.jpegls_encode),
    "native": ("1.2.840.10008.1.2.1", None),
}
READERS = {reader.name: reader for reader in SLIDE_READERS if reader.name not in ("ome-zarr", "fastslide")}


def picture(side: int) -> Any:
    """The IHC section of scikit-image, laid side by side with a change from field to field."""
    import skimage.data

    section = skimage.data.immunohistochemistry()
    count = -(-side // 512)
    rows = [np.concatenate([np.roll(section, 37 * (i + count * j), 0) for i in range(count)], 1) for j in range(count)]
    return np.concatenate(rows)[:side, :side].copy()


def generated(folder: Path, side: int) -> Iterator[tuple[str, str, Path, Any]]:
    """(format, compression, file, the pixels that were written where nothing is lost)."""
    import dicom_slides
    from czi_slides import write_czi

    scan = picture(side)
    for name, options in TIFFS.items():
        path = folder / f"{name.replace(', ', '-').replace(' ', '-').replace(':', '')}.tif"
        own: dict[str, Any] = {"tile": (TILE, TILE), "photometric": "rgb"} | options
        tifffile.imwrite(path, scan, metadata=None, resolution=(2e4, 2e4), resolutionunit="CENTIMETER", **own)
        yield "TIFF", name, path, scan if name in LOSSLESS else None
    dicom_slides.TILE = TILE
    for name, (syntax, encode) in DICOMS.items():
        path = folder / name.replace(" ", "-") / "slide.dcm"
        path.parent.mkdir()
        colours = "YBR_FULL_422" if name == "JPEG" else "YBR_ICT" if name == "JPEG 2000" else "RGB"
        dicom_slides.write_slide(
            path, dicom_slides.tiles_of(scan), scan.shape[:2], encode, syntax=syntax, PhotometricInterpretation=colours
        )
        yield "DICOM", name, path, scan if name in LOSSLESS else None
    write_czi(folder / "brightfield.czi", [scan])
    yield "CZI", "brightfield", folder / "brightfield.czi", scan
    grey = scan.astype(np.uint16)[..., :2] * 16
    write_czi(folder / "fluorescence.czi", [grey[..., 0], grey[..., 1]])
    yield "CZI", "fluorescence", folder / "fluorescence.czi", grey


def real() -> Iterator[tuple[str, str, Path, Any]]:
    """The slides of the data folder, largest kinds first; none without that folder."""
    names = ("CMU-1-Small-Region.svs", *(f"wsic/CMU-1-Small-Region.{kind}.tiff" for kind in ("jpeg", "jp2", "webp")),
             "wsic/XYC-tiled.jp2", "highdicom/sm_image.dcm", "openslide-python/boxes_0.dcm")  # fmt: skip
    for name in names:
        if (DATA / name).exists():
            yield "data/wsi", name, DATA / name, None


def pixels_by(name: str, path: Path) -> Any:
    """The file open by a reader; None where the reader cannot open it."""
    try:
        if name == "fastslide":
            return _FastSlide(path)
        asked = name == "openslide" or READERS[name].accepts(
            path, head_of(path)
        )  # DICOM too, which it never gets elsewhere
        return READERS[name].open(path, "") if asked else None
    except TileEngineError:
        return None


class _FastSlide(FastSlidePixels):
    """fastslide on any file, named by its own suffix: the engine gives it only what no other reader reads."""

    def __init__(self, path: Path) -> None:
        import fastslide

        self._name, self._folder = path.name, None
        try:
            self._slide = fastslide.FastSlide.from_file_path(str(path))
            self._image = self._slide.images[self._slide.images.primary_index]
            self._described = self._describe("a slide", [])
        except (RuntimeError, ValueError, OSError) as error:
            raise TileEngineError(str(error)) from error


def whole(pixels: Any) -> Any:
    return pixels.read(Box((0, 0), pixels.described.shapes[0]), 0)


def oracle(path: Path, written: Any) -> tuple[str, Any]:
    """(name of the oracle, pixels (channel, y, x)); empty where there is none."""
    if written is not None:
        return "written", np.moveaxis(written, -1, 0)
    if (pixels := pixels_by("openslide", path)) is not None:
        return "OpenSlide", whole(pixels)
    try:
        page = tifffile.imread(path, key=0)
        return "tifffile", np.moveaxis(page, -1, 0) if page.ndim == 3 and page.shape[-1] in (3, 4) else page[None]
    except (tifffile.TiffFileError, ValueError):
        return "", None


def fresh(name: str, path: Path, measure: Callable[[Any], float]) -> float:
    """A measure of the file, opened anew: OpenSlide keeps decoded tiles, up to 32 MB."""
    pixels = pixels_by(name, path)
    try:
        return measure(pixels)
    finally:
        pixels.close()


def sequential(pixels: Any) -> float:
    """MPix/s."""
    blocks = list(Box((0, 0), pixels.described.shapes[0]).cut((BLOCK, BLOCK)))
    began = time.perf_counter()

    def one(box: Box) -> int:
        return box.size if time.perf_counter() - began < LIMIT and pixels.read(box, 0).size else 0

    with ThreadPoolExecutor(cores()) as pool:
        done = sum(pool.map(one, blocks))
    return done / 1e6 / (time.perf_counter() - began)


def random_patches(pixels: Any) -> float:
    """Patches a second."""
    shape, draw = pixels.described.shapes[0], np.random.default_rng(0)
    side = [min(PATCH, n) for n in shape]
    starts = [[int(draw.integers(n - s + 1)) for n, s in zip(shape, side, strict=True)] for _ in range(PATCHES)]
    boxes = [Box(tuple(a), tuple(i + s for i, s in zip(a, side, strict=True))) for a in starts]
    began = time.perf_counter()

    def one(box: Box) -> bool:
        return time.perf_counter() - began < LIMIT and bool(pixels.read(box, 0).size)

    with ThreadPoolExecutor(cores()) as pool:
        done = sum(pool.map(one, boxes))
    return done / (time.perf_counter() - began)


def ends(path: Path) -> bool:
    """Whether fastslide reads a first patch within PROBE seconds, in a process of its own: on some files it never ends."""
    try:
        subprocess.run(
            [sys.executable, __file__, "--probe", str(path)], timeout=PROBE, check=False, stderr=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return False
    return True


def noticed(name: str, path: Path) -> str:
    """Of 16 tiles with 6 changed bytes each, how many the reader does not decode; for JPEG in TIFF."""
    with tifffile.TiffFile(path) as tif:
        places = list(zip(tif.pages[0].dataoffsets, tif.pages[0].databytecounts, strict=True))
        across = -(-tif.pages[0].imagewidth // TILE)
    draw, data = np.random.default_rng(1), bytearray(path.read_bytes())
    hit = range(0, len(places), len(places) // 16)[:16]
    for number in hit:
        offset, count = places[number]
        for _ in range(6):
            data[offset + int(draw.integers(count // 3, count - 4))] ^= int(draw.integers(1, 255))
    with tempfile.NamedTemporaryFile(suffix=".tif", dir=path.parent) as file:
        file.write(data)
        file.flush()
        pixels, lost = pixels_by(name, Path(file.name)), 0
        for number in hit:
            y, x = (TILE * n for n in divmod(number, across))
            try:
                pixels.read(Box((y, x), (y + TILE, x + TILE)), 0)
            except TileEngineError:
                lost += 1
    return f"{lost} of {len(hit)}"


def measured(kind: str, compression: str, path: Path, written: Any, repeat: int) -> Iterator[tuple[str, ...]]:
    """Rows of the table: one a reader."""
    by, true = oracle(path, written)
    open_ones = {name: pixels for name in READERS if (pixels := pixels_by(name, path)) is not None}
    state = {}
    if ends(path):
        if (pixels := pixels_by("fastslide", path)) is not None:
            open_ones["fastslide"] = pixels
    else:
        state["fastslide"] = f"no end within {PROBE:.0f} s"
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in open_ones}
    for name, pixels in list(open_ones.items()):
        try:
            values = whole(pixels)
        except TileEngineError:
            state[name] = "cannot decode"
            del open_ones[name], rates[name]
            continue
        same = true is not None and values.shape == true.shape
        difference = int(np.abs(values.astype(int) - true).max()) if same else -1
        state[name] = ("=" if difference == 0 else str(difference)) if same else ("other shape" if by else "no oracle")
    for _ in range(repeat):  # readers take turns
        for name in open_ones:
            rates[name].append((fresh(name, path, sequential), fresh(name, path, random_patches)))
    middle = {name: tuple(median(one[i] for one in found) for i in (0, 1)) for name, found in rates.items()}
    best = [max((rate[i] for rate in middle.values()), default=1.0) for i in (0, 1)]
    head = head_reader(path)
    for name in state:
        speeds = middle.get(name)
        cells = ("", "", "", "") if speeds is None else (
            f"{speeds[0]:.1f}", f"{speeds[0] / best[0]:.2f}", f"{speeds[1]:.0f}", f"{speeds[1] / best[1]:.2f}"
        )  # fmt: skip
        asked = kind == "TIFF" and compression.startswith("JPEG, ") and name != "fastslide"
        damage = noticed(name, path) if asked else ""
        yield kind, compression, f"**{name}**" if name == head else name, f"{state[name]} ({by})", *cells, damage


def head_reader(path: Path) -> str:
    """The reader that the engine takes."""
    return probe(path).reader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=SIDE, help="pixels a side of the written picture")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; each figure is the median")
    parser.add_argument("--scratch", type=Path, default=CACHE, help="folder for what is written and removed again")
    parser.add_argument("--probe", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.probe:
        pixels = pixels_by("fastslide", given.probe)
        pixels.read(Box((0, 0), tuple(min(PATCH, n) for n in pixels.described.shapes[0])), 0)
        return
    given.scratch.mkdir(exist_ok=True)
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory(dir=given.scratch) as folder:
        for files in (partial(generated, Path(folder), given.side), real):
            for kind, compression, path, written in files():
                print(f"  {kind} {compression}", file=sys.stderr)
                for row in measured(kind, compression, path, written, given.repeat):
                    rows.append(row)
                    print("  " + " | ".join(row), file=sys.stderr)
    print("readers in their order: " + ", ".join(reader.name for reader in SLIDE_READERS))
    head = (
        "format",
        "compression or file",
        "reader",
        "correct",
        "MPix/s",
        "ratio",
        "patches/s",
        "ratio",
        "damage noticed",
    )
    table("formats", head, rows)


if __name__ == "__main__":
    main()
