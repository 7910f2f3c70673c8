"""Film: one radiograph as grey values, and the facts and guesses that its values rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..frame import Array

RADIOGRAPHS = frozenset({"CR", "DX", "RG", "MG", "PX", "IO"})
"""DICOM modalities of projection radiographs: computed and digital radiography, digitised film, mammography, panoramic and
intra-oral. Sequences under X-ray (XA, RF) are left out: they have contrast media and collimators of their own."""


@dataclass(frozen=True, slots=True)
class Film:
    """One film."""

    values: Array
    """(y, x), float32 in [0, 1], bright where the body absorbs."""
    notes: tuple[str, ...] = ()
    """What was guessed or changed on the way to the values."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Short texts on what the file states: modality, photometric, bits, shape, and spacing (mm, y x), view and body_part where
    they are stated. Names, numbers of patients and dates are never among them."""


def constant_notes(values: Array) -> list[str]:
    """A note on a film of which all pixels have one value: nothing can be seen in it."""
    return ["all its pixels have one value"] if values.size and values.min() == values.max() else []


def is_radiograph(facts: Mapping[str, str]) -> bool | None:
    """Whether a film's modality is one of `RADIOGRAPHS`; None where nothing states it, as in pictures.

    >>> is_radiograph({"modality": "DX"}), is_radiograph({"modality": "CT"}), is_radiograph({"modality": ""})
    (True, False, None)
    """
    modality = facts.get("modality", "")
    return modality in RADIOGRAPHS if modality else None
