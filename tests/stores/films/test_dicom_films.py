"""DICOM films: what a file states of its values is applied, as pydicom applies it and as the standard says."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from dicom_films import dicom_film
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_modality_lut, apply_voi, apply_windowing

from tile_engine.errors import SlideError
from tile_engine.stores.films.dicom_tables import windowed
from tile_engine.stores.films.film import is_radiograph
from tile_engine.stores.films.reader import count_films, films_of, read_film
from tile_engine.stores.slides.cohort import SlideEntry

Array = np.ndarray[Any, Any]
Writer = Callable[..., Path]
"""`dicom` of conftest.py."""


def entry(path: Path, part: str = "") -> SlideEntry:
    return SlideEntry("a", path, path.name, part=part)


def lut(entries: Array, first: int, bits: int = 16) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "US", [int(v) for v in entries])
    return item


@given(
    center=st.floats(-500, 5000),
    width=st.floats(1.5, 8000),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
@settings(max_examples=60, deadline=None)
def test_windows_are_those_of_the_standard(center: float, width: float, function: str) -> None:
    values = np.arange(4096)
    data = Dataset()
    data.WindowCenter, data.WindowWidth, data.VOILUTFunction = f"{center:.6g}", f"{width:.6g}", function
    data.PhotometricInterpretation, data.BitsStored, data.PixelRepresentation = "MONOCHROME2", 12, 0
    with np.errstate(over="ignore"):
        expected = apply_windowing(values, data) / 4095
    grey = windowed(values, float(data.WindowCenter), float(data.WindowWidth), function)
    np.testing.assert_allclose(grey, expected, atol=1e-6)
    assert (np.diff(grey) >= 0).all()


def test_a_rescaled_signed_film_is_shown_through_its_first_window(dicom: Writer, grey: Array) -> None:
    signed = (grey.astype(np.int16) - 2048).astype(np.int16)
    path = dicom(signed, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=[300, 9], WindowWidth=[2000, 9])
    film = read_film(path)
    true = signed.astype(float) * 2 - 100
    np.testing.assert_allclose(film.values, np.clip((true - 299.5) / 1999 + 0.5, 0, 1), atol=1e-6)
    assert film.values.dtype == np.float32 and any("first of its 2 windows" in note for note in film.notes)


@pytest.mark.parametrize("first", [0, 100, 3000])
def test_luts_are_applied_as_pydicom_applies_them(dicom: Writer, grey: Array, first: int) -> None:
    random = np.random.default_rng(1)
    modality, voi = (np.sort(random.integers(0, top, n)) for top, n in ((4096, 3000), (65536, 4096)))
    voi[-1] = 65535
    path = dicom(grey, bits=12, ModalityLUTSequence=[lut(modality, first)], VOILUTSequence=[lut(voi, 0)])
    data = pydicom.dcmread(path)
    expected = apply_voi(apply_modality_lut(data.pixel_array, data).astype(np.uint16), data) / 65535
    np.testing.assert_allclose(read_film(path).values, expected, atol=1e-6)


def test_the_bits_that_a_voi_lut_states_wrongly_are_corrected_and_said(dicom: Writer, grey: Array) -> None:
    film = read_film(dicom(grey, bits=12, VOILUTSequence=[lut(np.arange(4096), 0, 16)]))
    np.testing.assert_allclose(film.values, grey / 4095, atol=1e-6)
    assert film.notes == ("its VOI LUT states 16 bits; its entries have 12",)


def test_a_damaged_lut_is_refused(dicom: Writer, grey: Array) -> None:
    item = lut(np.arange(40), 0)
    item.LUTDescriptor = [4096, 0, 16]
    with pytest.raises(SlideError, match="its look-up table") as caught:
        read_film(dicom(grey, VOILUTSequence=[item]))
    assert caught.value.code == "E_DICOM"


@given(center=st.integers(100, 4000), width=st.integers(2, 5000), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_a_film_that_is_inverted_twice_is_the_film(
    tmp_path_factory: pytest.TempPathFactory, center: int, width: int, seed: int
) -> None:
    """Stored upside down and stated as MONOCHROME1, with the window turned round too."""
    folder = tmp_path_factory.mktemp("films")
    grey = np.random.default_rng(seed).integers(0, 4096, (9, 11)).astype(np.uint16)
    options = {"bits": 12, "VOILUTFunction": "LINEAR_EXACT", "WindowWidth": width}
    upright = dicom_film(folder / "a.dcm", grey, WindowCenter=center, **options)
    turned = dicom_film(
        folder / "b.dcm", 4095 - grey, WindowCenter=4095 - center, PhotometricInterpretation="MONOCHROME1", **options
    )
    np.testing.assert_allclose(read_film(turned).values, read_film(upright).values, atol=1e-6)


def test_monochrome1_and_inverse_are_one_inversion(dicom: Writer, grey: Array) -> None:
    window = {"bits": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    upright = read_film(dicom(grey, **window)).values
    for photometric, shape in (("MONOCHROME1", "INVERSE"), ("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")):
        film = read_film(dicom(grey, PhotometricInterpretation=photometric, PresentationLUTShape=shape, **window))
        np.testing.assert_allclose(film.values, 1 - upright, atol=1e-6)
        assert film.notes


def test_padding_is_black_and_does_not_decide_the_range(dicom: Writer, grey: Array) -> None:
    grey = grey // 4 + 1000
    grey[:8] = 0
    for photometric in ("MONOCHROME2", "MONOCHROME1"):
        film = read_film(dicom(grey, bits=12, PixelPaddingValue=0, PhotometricInterpretation=photometric))
        assert (film.values[:8] == 0).all() and film.values[8:].mean() == pytest.approx(0.5, abs=0.05)
        assert "20.0% of its pixels are padding and become black" in film.notes
    film = read_film(dicom(grey, bits=12, PixelPaddingValue=0, PixelPaddingRangeLimit=1010))
    assert (film.values[grey <= 1010] == 0).all()


def test_without_a_window_percentiles_are_black_and_white_and_it_is_said(dicom: Writer, grey: Array) -> None:
    film = read_film(dicom(grey, bits=12))
    low, high = np.percentile(grey, (0.1, 99.9))
    np.testing.assert_allclose(film.values, np.clip((grey - low) / (high - low), 0, 1), atol=0.005)
    assert any("percentiles 0.1 to 99.9" in note for note in film.notes)
    blind = read_film(dicom(grey, bits=12, WindowCenter=-9000, WindowWidth=10))
    np.testing.assert_array_equal(blind.values, film.values)
    assert "its window shows none of its values and is not used" in blind.notes


_ENCODERS: dict[str, Callable[[Array], bytes]] = {
    pydicom.uid.JPEG2000Lossless: lambda p: imagecodecs.jpeg2k_encode(p, codecformat="j2k"),
    pydicom.uid.JPEGLSLossless: imagecodecs.jpegls_encode,
    pydicom.uid.JPEGLosslessSV1: lambda p: imagecodecs.ljpeg_encode(p, bitspersample=12),
}


@pytest.mark.parametrize("syntax", [*_ENCODERS, pydicom.uid.RLELossless, pydicom.uid.DeflatedExplicitVRLittleEndian])
def test_every_lossless_syntax_gives_the_same_film(dicom: Writer, grey: Array, syntax: Any) -> None:
    window = {"bits": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    expected = read_film(dicom(grey, **window)).values
    path = dicom(grey, name="packed.dcm", **window)
    data = pydicom.dcmread(path)
    if syntax == pydicom.uid.RLELossless:
        data.compress(syntax)
    else:
        data.file_meta.TransferSyntaxUID = syntax
        if syntax in _ENCODERS:
            data.PixelData = encapsulate([_ENCODERS[syntax](grey)])
            data["PixelData"].VR = "OB"
            data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(read_film(path).values, expected)


def test_big_endian_signed_and_many_frames(dicom: Writer) -> None:
    frames = np.random.default_rng(0).integers(-900, 900, (3, 12, 14)).astype(np.int16)
    path = dicom(
        frames, bits=12, syntax=pydicom.uid.ExplicitVRBigEndian, WindowCenter=0.5, WindowWidth=2001, Modality="XA"
    )
    assert count_films(entry(path)) == 3
    films = list(films_of(path, start=1))
    assert len(films) == 2 and not any(isinstance(film, SlideError) for film in films)
    for film, frame in zip(films, frames[1:], strict=True):
        np.testing.assert_allclose(film.values, (frame + 1000) / 2000, atol=1e-6)
    assert is_radiograph(films[0].facts) is False
    with pytest.raises(SlideError, match="there are no 3 to 4") as caught:
        read_film(path, index=3)
    assert caught.value.code == "E_NO_PART"


def test_what_is_not_stated_is_said_and_what_is_not_there_is_refused(dicom: Writer, grey: Array) -> None:
    film = read_film(dicom(grey, bits=12, PixelIntensityRelationshipSign=1))
    assert any("upside down" in note for note in film.notes)
    with pytest.raises(SlideError) as caught:
        read_film(dicom(grey), "t=1")
    assert caught.value.code == "E_NO_PART"
    flat = read_film(dicom(np.full((5, 6), 7, np.uint16)))
    assert "all its pixels have one value" in flat.notes


@pytest.mark.parametrize(("center", "width"), [("x", "2"), (5, 0), (5, -3), ("", "")])
def test_windows_that_are_none_are_not_used(dicom: Writer, grey: Array, center: Any, width: Any) -> None:
    elements = {"WindowCenter": center, "WindowWidth": width} if center != "x" else {"WindowCenter": 5}
    film = read_film(dicom(grey, bits=12, **elements))
    np.testing.assert_array_equal(film.values, read_film(dicom(grey, bits=12)).values)
    assert film.values.max() == 1


def test_a_damaged_frame_is_lost_alone(dicom: Writer) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 16, 16)).astype(np.uint8)
    path = dicom(frames, WindowCenter=128, WindowWidth=256)
    data = pydicom.dcmread(path)
    packed = [imagecodecs.jpegls_encode(frame) for frame in frames]
    packed[1] = packed[1][:40] + b"\xff" * 20
    data.PixelData = encapsulate(packed)
    data["PixelData"].VR = "OB"
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    data.save_as(path, enforce_file_format=True)
    first, lost, last = films_of(path)
    assert isinstance(lost, SlideError) and lost.code in ("E_DICOM", "E_BOMB", "E_MALFORMED")
    np.testing.assert_allclose([first.values, last.values], frames[::2] / 255, atol=1e-6)


def test_nothing_private_leaves_the_file(dicom: Writer, grey: Array) -> None:
    film = read_film(
        dicom(
            grey,
            ImagerPixelSpacing=[0.1, 0.2],
            ViewPosition="PA",
            BodyPartExamined="Secret^Person chest",
            Laterality="L",
        )
    )
    assert film.facts == {
        "modality": "DX", "photometric": "MONOCHROME2", "view": "PA", "bits": "16", "shape": "40 x 50",
        "spacing": "0.1 x 0.2 mm",
    }  # fmt: skip
    assert "its body_part is no short code and is left out" in film.notes
    assert not any(word in str(film.facts) + str(film.notes) for word in ("Secret", "4711", "2017"))
    assert is_radiograph(film.facts) is True


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Rows": 60_000, "Columns": 60_000}, "E_TOO_BIG"),
        ({"NumberOfFrames": -1}, "E_MALFORMED"),
        ({"NumberOfFrames": 2}, "E_TRUNCATED"),
        ({"Rows": 10}, "E_MALFORMED"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "E_UNSUPPORTED_PIXELS"),
        ({"PhotometricInterpretation": ""}, "E_DICOM"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "E_UNSUPPORTED_PIXELS"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "E_DICOM"),
    ],
)
def test_headers_that_cannot_be_true_are_refused(dicom: Writer, grey: Array, change: dict[str, Any], code: str) -> None:
    with pytest.raises(SlideError, match=r"film\.dcm") as caught:
        read_film(dicom(grey, **change))
    assert caught.value.code == code


def test_grey_planes_of_colour_are_read_and_colours_are_not(dicom: Writer) -> None:
    plane = np.random.default_rng(0).integers(0, 256, (20, 20)).astype(np.uint8)
    colours = np.repeat(plane[..., None], 3, axis=-1)
    options = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    path = dicom(plane, PixelData=colours.tobytes(), **options)
    np.testing.assert_allclose(read_film(path).values, plane / 255, atol=1e-6)
    colours[0, 0] = (200, 20, 20)
    with pytest.raises(SlideError, match="is in colour") as caught:
        read_film(dicom(plane, PixelData=colours.tobytes(), **options))
    assert caught.value.code == "E_UNSUPPORTED_PIXELS"


def test_a_high_bit_is_followed_where_the_bits_below_are_empty(dicom: Writer, grey: Array) -> None:
    window = {"bits": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    expected = read_film(dicom(grey, **window)).values
    shifted = read_film(dicom(grey << 4, HighBit=15, **window))
    np.testing.assert_array_equal(shifted.values, expected)
    wrong = read_film(dicom(grey, HighBit=1, **window))
    np.testing.assert_array_equal(wrong.values, expected)
    assert wrong.notes == ("its high bit 1 does not fit its 12 bits and is not used",)


@pytest.mark.parametrize("name", ["RG1_J2KI.dcm", "RG3_J2KR.dcm", "gdcm-CR-MONO1-10-chest.dcm", "vlut_04.dcm"])
def test_real_films_are_what_pydicom_shows(data: Path, name: str) -> None:
    path = data / "cxr" / "dicom" / name
    film = read_film(path)
    stated = pydicom.dcmread(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = apply_modality_lut(stated.pixel_array, stated)
        shown = apply_voi(shown, stated) if "VOILUTSequence" in stated else apply_windowing(shown, stated)
    # pydicom's windows span the range of the stored bits
    top = (
        2 ** int(stated.VOILUTSequence[0].LUTDescriptor[2]) - 1
        if "VOILUTSequence" in stated
        else 2**stated.BitsStored - 1
    )
    expected = 1 - shown / top if stated.PhotometricInterpretation == "MONOCHROME1" else shown / top
    np.testing.assert_allclose(film.values, expected, atol=2e-6)


def test_the_same_film_stated_as_monochrome1_is_its_negative(data: Path) -> None:
    folder = data / "cxr" / "dicom"
    upright = read_film(folder / "1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm")
    np.testing.assert_allclose(read_film(folder / "Fake_MONOHR1.dcm").values, 1 - upright.values, atol=1e-6)
    assert upright.facts["view"] == "PA" and is_radiograph(upright.facts)


def test_a_modality_lut_in_lossless_jpeg_shows_a_jaw_on_black(data: Path) -> None:
    values = read_film(data / "cxr" / "dicom" / "CR-ModalitySequenceLUT.dcm").values
    assert values.shape == (1576, 1976) and values[:500].max() == 0 and values[700:1400, 200:1700].mean() > 0.4


BAD = {
    "E_TRUNCATED": ["MR_truncated.dcm"],
    "E_BOMB": ["JPEG2000-embedded-sequence-delimiter.dcm"],
    "E_DICOM": ["ExplVR_LitEndNoMeta.dcm", "badVR.dcm", "rtstruct.dcm"],
    "E_UNSUPPORTED_PIXELS": [
        "OBXXXX1A.dcm", "liver_nonbyte_aligned.dcm", "liver_1frame.dcm", "liver_expb_1frame.dcm", "ExplVR_BigEnd.dcm",
        "GDCMJ2K_TextGBR.dcm", "SC_jpeg_no_color_transform.dcm", "SC_jpeg_no_color_transform_2.dcm", "examples_rgb_color.dcm",
        "examples_ybr_color.dcm",
    ],
    "E_NOT_A_FILM": [
        "emri_small_jpeg_2k_lossless_too_short.dcm", "ExplVR_BigEndNoMeta.dcm", "UN_sequence.dcm", "empty_charset_LEI.dcm",
        "meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm", "no_meta.dcm", "no_meta_group_length.dcm", "reportsi.dcm",
        "reportsi_with_empty_number_tags.dcm", "rtplan_truncated.dcm",
    ],
    "": [
        "MR-SIEMENS-DICOM-WithOverlays.dcm", "bad_sequence.dcm", "emri_small.dcm", "explicit_VR-UN.dcm", "693_J2KI.dcm",
        "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm",
        "MR_small_expb.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_padded.dcm",
    ],
}  # fmt: skip


def test_every_bad_file_is_read_or_refused_with_its_code(data: Path) -> None:
    codes = {}
    for path in sorted((data / "bad" / "dicom").glob("*/*.dcm")):
        try:
            film = read_film(path)
            assert film.values.min() >= 0 and film.values.max() <= 1
            codes[path.name] = ""
        except SlideError as error:
            assert error.message.startswith(f"{path.name}: ")
            codes[path.name] = error.code
    assert codes == {name: code for code, names in BAD.items() for name in names}


def test_every_form_of_one_picture_gives_one_film(data: Path) -> None:
    folder = data / "bad" / "dicom" / "pydicom"
    films = [read_film(folder / name).values for name in BAD[""] if name.startswith("MR_small")]
    assert len(films) == 8 and all(np.array_equal(films[0], other) for other in films)
