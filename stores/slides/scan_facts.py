"""scan_facts: what a slide's file states of its scan, read by OpenSlide from the header: objective, scanner, date, ICC profile.

Only these properties are looked up, by name: headers also hold names of files, of users and of cases, and texts of labels.
"""

from __future__ import annotations

from pathlib import Path

from .file_head import head_of, kind_of

OBJECTIVE, SCANNER, DATE, PROFILE = "objective", "scanner", "scanned", "icc"
_MAKERS = ("tiff.Make", "dicom.Manufacturer", "openslide.vendor")
_MODELS = ("tiff.Model", "leica.device-model", "ventana.ScannerModel", "hamamatsu.Product")
_DATES = (
    "aperio.Date", "tiff.DateTime", "leica.creation-date", "hamamatsu.Created", "ventana.ScanDate",
    "mirax.GENERAL.SLIDE_CREATIONDATETIME",
)  # fmt: skip
_NO_MAKERS = frozenset({"generic-tiff", "synthetic"})
"""Names of formats that are not those of a maker."""
MAX_LENGTH = 60
"""Characters of a value that are shown, at most."""


def scan_facts(path: Path) -> tuple[tuple[str, str], ...]:
    """(name, value) of what a file states of its scan, in the order of display; empty where OpenSlide does not read it.

    DICOM is not given to OpenSlide, whose parser ends the process on some damaged files.
    """
    import openslide

    try:
        if not path.is_file() or kind_of(head_of(path)) == "DICOM":
            return ()
        with openslide.OpenSlide(str(path)) as slide:
            properties = {name: value.strip()[:MAX_LENGTH] for name, value in slide.properties.items()}
    except (openslide.OpenSlideError, OSError, ValueError):
        return ()

    def first(names: tuple[str, ...]) -> str:
        return next((properties[name] for name in names if properties.get(name)), "")

    power, maker = properties.get("openslide.objective-power", ""), first(_MAKERS)
    scanner = " ".join(text for text in (maker if maker not in _NO_MAKERS else "", first(_MODELS)) if text)
    profile = (
        "embedded, not applied" if "openslide.icc-size" in properties else ""
    )  # OpenSlide does not look in every format
    facts = ((OBJECTIVE, f"{power}x" if power else ""), (SCANNER, scanner), (DATE, first(_DATES)), (PROFILE, profile))
    return tuple(fact for fact in facts if fact[1])
