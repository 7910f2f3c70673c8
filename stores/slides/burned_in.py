"""burned_in: DICOM pictures with text in their pixels, which may be a person's name."""

from __future__ import annotations

from pathlib import Path

from ..regular import open_regular

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""Class, and beginning of the classes, of pictures of screens, paper and reports."""
LABEL_WORDS = frozenset({"LABEL", "OVERVIEW"})
"""Words of the image type of a slide's label, and of the photograph of its glass."""
_TAGS = ["SOPClassUID", "BurnedInAnnotation", "ImageType"]


def may_show_text(path: Path) -> bool:
    """Whether a file is a DICOM picture that says, or by its class is likely, to have text in its pixels."""
    import pydicom

    with open_regular(path) as file:
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
        except pydicom.errors.InvalidDicomError:
            return False
    words = {str(word).upper() for word in header.get("ImageType") or ()}
    burned = str(header.get("BurnedInAnnotation", "")).upper() == "YES"
    is_capture = str(header.get("SOPClassUID", "")).startswith(SECONDARY_CAPTURE)
    return burned or is_capture or bool(words & LABEL_WORDS)
