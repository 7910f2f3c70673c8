"""seeds: small whole files of every kind that the engine reads, the same each time."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Write = Callable[[Path], None]
"""Writes the files of one seed into an empty folder."""


def picture(height: int = 100, width: int = 130) -> Array:
    """Waves with noise, (y, x, 3) uint8."""
    y, x = np.mgrid[:height, :width] / 20.0
    waves = np.stack([np.sin(y + c) * np.cos(x * (1 + c / 3)) for c in range(3)], -1)
    noise = np.random.default_rng(7).normal(0, 0.05, waves.shape)
    return ((waves + noise + 1.2) / 2.4 * 255).clip(0, 255).astype(np.uint8)


def solid() -> Array:
    """A ball in noise, (20, 22, 24) int16."""
    z, y, x = np.indices((20, 22, 24)) - np.array([9.5, 10.5, 11.5])[:, None, None, None]
    noise = np.random.default_rng(3).normal(0, 6, z.shape)
    return (400.0 * ((z / 8) ** 2 + (y / 9) ** 2 + (x / 10) ** 2 < 1) + noise + 20).clip(0).astype(np.int16)


def _tiff(path: Path, pixels: Array, levels: int = 2, **options: Any) -> None:
    import tifffile

    shared = {"tile": (64, 64), "resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER", "metadata": None} | options
    bigtiff = shared.pop("bigtiff", False)
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as tif:
        for level in range(levels):
            tif.write(pixels[:: 2**level, :: 2**level], **shared, **({"subfiletype": 1} if level else {}))


def _ome_tiff(folder: Path) -> None:
    import tifffile

    planes = picture().transpose(2, 0, 1)[:2].astype(np.uint16) * 200
    metadata = {"axes": "CYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(folder / "a.ome.tif", planes, tile=(64, 64), compression="zlib", metadata=metadata, ome=True)


def _imagej(folder: Path) -> None:
    import tifffile

    planes = picture().transpose(2, 0, 1)
    tifffile.imwrite(folder / "a.tif", planes, imagej=True, resolution=(2, 2), metadata={"unit": "um", "axes": "CYX"})


def _svs(folder: Path) -> None:
    import tifffile

    text = "Aperio Image Library v1\r\n130x100 [0,0 130x100] (64x64) JPEG/RGB Q=90|AppMag = 20|MPP = 0.5"
    options = {"metadata": None, "compression": "jpeg", "photometric": "rgb"}
    with tifffile.TiffWriter(folder / "a.svs") as tif:
        tif.write(picture(), tile=(64, 64), description=text, **options)
        tif.write(picture()[::4, ::4], description=text, **options)
        tif.write(picture()[::2, ::2], tile=(64, 64), description=text, **options)
        tif.write(picture(40, 60), description="Aperio\r\nlabel 60x40", subfiletype=1, metadata=None, compression="lzw")


def _pillow(name: str, mode: str = "RGB", **options: Any) -> Write:
    def write(folder: Path) -> None:
        from PIL import Image

        Image.fromarray(picture()).convert(mode).save(folder / name, **options)

    return write


def _png16(folder: Path) -> None:
    import imagecodecs

    (folder / "a.png").write_bytes(imagecodecs.png_encode(picture().astype(np.uint16) * 200))


def _zarr(pixels: Array, names: str, zarr_format: int, **options: Any) -> Write:
    """A store of two levels, by zarr-python, with metadata by hand."""

    def write(folder: Path) -> None:
        import zarr

        group = zarr.create_group(folder / "a.ome.zarr", zarr_format=zarr_format)
        space = slice(None) if names == "zyx" else slice(1, None)
        datasets = []
        for level, step in enumerate((1, 2)):
            values = pixels[tuple(slice(None, None, step if n in "zyx" else 1) for n in names)]
            group.create_array(str(level), shape=values.shape, dtype=values.dtype, **options)[...] = values
            scale = [0.5 * step if n in "zyx" else 1.0 for n in names]
            datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
        axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in names[space]]
        axes = [*([] if names == "zyx" else [{"name": "c", "type": "channel"}]), *axes]
        image = {"version": "0.4", "axes": axes, "datasets": datasets}
        group.attrs.update(
            {"ome": {"version": "0.5", "multiscales": [image]}} if zarr_format == 3 else {"multiscales": [image]}
        )

    return write


def _zarrs(names: str) -> dict[str, Write]:
    from numcodecs import BZ2, Blosc, GZip, Shuffle, Zlib, Zstd
    from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

    pixels = solid() if names == "zyx" else np.ascontiguousarray(picture().transpose(2, 0, 1))
    chunks: dict[str, Any] = {"chunks": (8, 8, 8) if names == "zyx" else (3, 32, 32)}
    shards = chunks | {"shards": (16, 16, 16) if names == "zyx" else (3, 64, 64)}
    return {
        "0.4 zlib": _zarr(pixels, names, 2, compressors=Zlib(1), **chunks),
        "0.4 gzip, shuffle": _zarr(pixels, names, 2, compressors=GZip(1), filters=[Shuffle(2)], **chunks),
        "0.4 blosc": _zarr(pixels, names, 2, compressors=Blosc("lz4"), **chunks),
        "0.4 zstd": _zarr(pixels, names, 2, compressors=Zstd(1), **chunks),
        "0.4 bz2": _zarr(pixels, names, 2, compressors=BZ2(1), **chunks),
        "0.5 gzip": _zarr(pixels, names, 3, compressors=GzipCodec(level=1), **chunks),
        "0.5 zstd": _zarr(pixels, names, 3, compressors=ZstdCodec(level=1), **chunks),
        "0.5 blosc, sharded": _zarr(pixels, names, 3, compressors=BloscCodec(cname="zstd"), **shards),
        "0.5 gzip, sharded": _zarr(pixels, names, 3, compressors=GzipCodec(level=1), **shards),
    }


def _nifti(name: str, kind: str = "Nifti1Image") -> Write:
    def write(folder: Path) -> None:
        import nibabel

        nibabel.save(getattr(nibabel, kind)(solid(), np.diag([2.0, 2.0, 2.0, 1.0])), folder / name)

    return write


def _mgh(name: str) -> Write:
    def write(folder: Path) -> None:
        import nibabel

        nibabel.save(nibabel.MGHImage(solid().astype(np.float32), np.diag([1.0, 1.0, 1.0, 1.0])), folder / name)

    return write


def _nrrd(encoding: str, *, detached: bool = False) -> Write:
    def write(folder: Path) -> None:
        head = (
            "NRRD0004\ntype: int16\ndimension: 3\nspace: left-posterior-superior\nsizes: 20 22 24\n"
            "space directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\nendian: little\n"
            f"encoding: {encoding}\nspace origin: (0,0,0)\n{'data file: a.raw' if detached else '# attached'}\n"
        ).encode()
        raw = solid().tobytes("F")
        data = {"raw": raw, "gzip": gzip.compress(raw, mtime=0), "bzip2": bz2.compress(raw)}[encoding]
        if detached:
            (folder / "a.nhdr").write_bytes(head)
            (folder / "a.raw").write_bytes(data)
        else:
            (folder / "a.nrrd").write_bytes(head + b"\n" + data)

    return write


def _npz_stack(folder: Path) -> None:
    stack = np.stack([solid().astype(np.uint8)] * 3)
    np.savez_compressed(folder / "a.npz", train_images=stack, train_labels=np.arange(3)[:, None])


def _npz_single(folder: Path) -> None:
    np.savez(folder / "a.npz", volume=np.asfortranarray(solid()))


def _dicom(syntax: str, frames: int = 0) -> Write:
    """A series of six slices, or one file of many frames."""

    def write(folder: Path) -> None:
        import pydicom
        from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

        slices = solid()[:6].astype("<i2")
        for number in range(1 if frames else len(slices)):
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
            meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
            meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
            path = folder / f"{number}.dcm"
            data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
            data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
            data.SeriesInstanceUID, data.StudyInstanceUID, data.Modality = "1.2.4", "1.2.5", "CT"
            data.Rows, data.Columns = slices.shape[1:]
            data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
            data.BitsAllocated = data.BitsStored = 16
            data.HighBit, data.PixelRepresentation = 15, 1
            data.RescaleSlope, data.RescaleIntercept = 1, -1024
            data.PixelSpacing, data.ImageOrientationPatient = [0.5, 0.75], [1.0, 0, 0, 0, 1, 0]
            data.ImagePositionPatient = [0.0, 0.0, 2.0 * number]
            if frames:
                data.NumberOfFrames = frames
                groups = []
                for place in range(frames):
                    position, group = Dataset(), Dataset()
                    position.ImagePositionPatient = [0.0, 0.0, 2.0 * place]
                    group.PlanePositionSequence = [position]
                    groups.append(group)
                data.PerFrameFunctionalGroupsSequence = groups
            data.PixelData = (slices[:frames] if frames else slices[number]).tobytes()
            if syntax == "rle":
                data.compress(pydicom.uid.RLELossless)
            elif syntax == "deflated":
                data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
            data.save_as(path, enforce_file_format=True)

    return write


def _dicom_slide(kind: str) -> Write:
    """A series of two levels, one file each."""

    def write(folder: Path) -> None:
        import imagecodecs
        import pydicom
        from dicom_slides import at_position, tiles_of, write_slide

        packed = {"JPEG": (imagecodecs.jpeg8_encode, "4.50"), "JPEG 2000": (imagecodecs.jpeg2k_encode, "4.90")}
        for level in range(2):
            pixels, path = picture()[:: 2**level, :: 2**level], folder / f"{level}.dcm"
            tags: dict[str, Any] = {"PixelSpacing": [0.0005 * 2**level] * 2}
            encode, syntax = packed.get(kind, (None, ""))
            if encode:
                tags |= {"syntax": f"1.2.840.10008.1.2.{syntax}", "PhotometricInterpretation": "YBR_FULL_422"}
            tiles = tiles_of(pixels)
            if kind == "sparse":
                places = [(y, x) for y in range(0, pixels.shape[0], 64) for x in range(0, pixels.shape[1], 64)]
                groups = [at_position(*place, z=0.0, path="1") for place in places]
                tags |= {"DimensionOrganizationType": "TILED_SPARSE", "PerFrameFunctionalGroupsSequence": groups}
            data = write_slide(path, tiles, pixels.shape[:2], encode, **tags)
            if kind == "deflated":
                data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
                data.save_as(path, enforce_file_format=True)

    return write


ROWS = [
    ["file", "Subject ID", "mpp", "stain", "Age (years)"], ["a.png", "s1", "0.5", "HE", "61,5"],
    ["b.png", "s2", "0,25", "n/a", "89+"], ["c.png", "s3", "", "HE", "70 y"],
]  # fmt: skip


def _with_images(folder: Path) -> None:
    from PIL import Image

    for name in "abc":
        Image.fromarray(picture(8, 8)).save(folder / f"{name}.png")


def _delimited(name: str, delimiter: str) -> Write:
    def write(folder: Path) -> None:
        _with_images(folder)
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=delimiter).writerows(ROWS)
        (folder / name).write_text(buffer.getvalue(), newline="")

    return write


def _workbook(folder: Path) -> None:
    _with_images(folder)
    spreadsheet = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    texts = [cell for row in ROWS for cell in row]
    rows = "".join(
        f'<row r="{i + 1}">'
        + "".join(f'<c r="{chr(65 + j)}{i + 1}" t="s"><v>{i * len(row) + j}</v></c>' for j in range(len(row)))
        + "</row>"
        for i, row in enumerate(ROWS)
    )
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{spreadsheet}" xmlns:r="{relations}"><sheets>'
        '<sheet name="Slides" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{spreadsheet}"><sheetData>{rows}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{spreadsheet}">{"".join(f"<si><t>{text}</t></si>" for text in texts)}</sst>',
    }
    with zipfile.ZipFile(folder / "list.xlsx", "w") as archive:  # stored, so that mutations reach the XML
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), text)


def _participants(folder: Path) -> None:
    text = "participant_id\tage\tsex\tsite\nsub-01\t60\tF\tA\nsub-02\t61\tM\tB\nsub-03\tn/a\tF\tA\n"
    (folder / "participants.tsv").write_text(text)


def _geojson(folder: Path) -> None:
    ring = [[10, 10], [300, 10], [300, 200], [10, 200], [10, 10]]
    features = [{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}]
    (folder / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def _mask_tiff(folder: Path) -> None:
    _tiff(folder / "a.tif", (picture(40, 50)[..., 0] > 128).astype(np.uint8), 1, tile=(16, 16), compression="zlib")


def _mask_png(folder: Path) -> None:
    from PIL import Image

    Image.fromarray(picture(40, 50)[..., 0] > 128).save(folder / "a.png")


def _slide_tiff(**options: Any) -> Write:
    pixels = options.pop("pixels", None)
    return lambda folder: _tiff(folder / "a.tif", picture() if pixels is None else pixels, **options)


def seeds() -> dict[str, dict[str, Write]]:
    """Kind -> name of a seed -> what writes it."""
    strips = {"tile": None, "rowsperstrip": 16}
    return {
        "tiff": {
            "LZW": _slide_tiff(photometric="rgb", compression="lzw", predictor=True),
            "deflate": _slide_tiff(photometric="rgb", compression="zlib"),
            "raw strips": _slide_tiff(photometric="rgb", **strips),
            "16 bits, LZW strips": _slide_tiff(pixels=picture()[..., 0].astype(np.uint16) * 200, compression="lzw", **strips),
            "planes": _slide_tiff(pixels=picture().transpose(2, 0, 1), levels=1, photometric="rgb", planarconfig="separate"),
            "JPEG 2000": _slide_tiff(photometric="rgb", compression="jpeg2000"),
            "WebP": _slide_tiff(photometric="rgb", compression="webp"),
            "PackBits": _slide_tiff(photometric="rgb", compression="packbits"),
            "Zstandard": _slide_tiff(photometric="rgb", compression="zstd"),
            "OME": _ome_tiff,
            "ImageJ": _imagej,
        },
        "jpeg tiff": {
            "JPEG": _slide_tiff(photometric="rgb", compression="jpeg"),
            "JPEG, BigTIFF": _slide_tiff(photometric="rgb", compression="jpeg", bigtiff=True),
            "JPEG strips": _slide_tiff(photometric="rgb", compression="jpeg", **strips),
            "JPEG, grey": _slide_tiff(pixels=picture()[..., 0], compression="jpeg"),
        },
        "svs": {"Aperio": _svs},
        "picture": {
            "PNG": _pillow("a.png"), "PNG, palette": _pillow("a.png", "P"), "PNG, 16 bits": _png16, "JPEG": _pillow("a.jpg"),
            "JPEG, progressive": _pillow("a.jpg", progressive=True), "JPEG, CMYK": _pillow("a.jpg", "CMYK"),
            "JPEG 2000": _pillow("a.jp2"), "WebP": _pillow("a.webp"), "BMP": _pillow("a.bmp"),
        },
        "zarr slide": _zarrs("cyx"),
        "zarr volume": _zarrs("zyx"),
        "nifti": {
            "NIfTI": _nifti("a.nii"), "gzip": _nifti("a.nii.gz"), "pair": _nifti("a.img", "Nifti1Pair"),
            "NIfTI-2": _nifti("a.nii", "Nifti2Image"),
        },
        "mgh": {"MGH": _mgh("a.mgh"), "MGZ": _mgh("a.mgz")},
        "nrrd": {
            "raw": _nrrd("raw"), "gzip": _nrrd("gzip"), "bzip2": _nrrd("bzip2"), "detached": _nrrd("raw", detached=True),
            "detached gzip": _nrrd("gzip", detached=True),
        },
        "npz": {"stack": _npz_stack, "single": _npz_single},
        "dicom": {"series": _dicom("raw"), "RLE": _dicom("rle"), "deflated": _dicom("deflated"), "frames": _dicom("raw", 6)},
        "dicom slide": {kind: _dicom_slide(kind) for kind in ("raw", "JPEG", "JPEG 2000", "sparse", "deflated")},
        "slide list": {"CSV": _delimited("list.csv", ","), "TSV": _delimited("list.tsv", "\t"), "XLSX": _workbook},
        "participants": {"TSV": _participants},
        "mask": {"PNG": _mask_png, "TIFF": _mask_tiff, "GeoJSON": _geojson},
    }  # fmt: skip
