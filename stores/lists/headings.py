"""Headings: what the columns of a list mean, whatever their case, spaces, underscores and units."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

CARRIED: Mapping[str, tuple[str, ...]] = {
    "label": ("label",),
    "stain": ("stain", "staining", "stainname"),
    "scanner": ("scanner", "scannerid", "scannername", "scannermodel"),
    "group": ("group",),
    "age": ("age",),
    "sex": ("sex",),
    "split": ("split",),
    "mask": ("mask", "maskpath", "maskfile"),
    "tissue_mask": ("tissuemask",),
    "session": ("session", "sessionid"),
}
"""Name under which a column is kept with its image -> its usual headings without case, spaces and punctuation."""
ROLES: Mapping[str, tuple[str, ...]] = {
    "path": (
        "path", "file", "filename", "filepath", "fullpath", "slide", "slidepath", "slidefile", "slidename", "image",
        "imagepath", "imagefile", "imagename", "volume", "volumepath", "scan", "slideid", "imageid", "wsi",
        "wsipath", "wsifile",
    ),
    "subject": (
        "subject", "subjectid", "participantid", "participant", "patientid", "patient", "patientnumber", "donorid", "donor",
        "individualid", "individual", "animalid", "animal", "mouseid", "mouse", "caseid", "case",
    ),
    "site": ("site", "siteid", "center", "centre", "centerid", "centreid", "institution", "hospital"),
    "mpp": ("mpp", "micronsperpixel", "micrometersperpixel", "micrometresperpixel", "umperpixel", "μmperpixel", "umpx", "μmpx"),
    "part": ("part",),
    "block": ("block", "blockid", "blockname", "tissueblock"),
    "order": ("order", "sectionorder", "sectionnumber", "sectionno"),
    "reference": ("reference", "isreference"),
    "landmarks": ("landmarks", "landmarksfile", "landmarkspath", "landmarkfile"),
    **CARRIED,
}  # fmt: skip
"""Meaning of a column -> its usual headings; of two in one list the earlier decides. `group` is never the subject."""
_BRACKET = re.compile(r"[(\[]([^()\[\]]*)[)\]]\s*$")
_MICROMETRES = frozenset({"", "um", "μm", "micron", "microns", "um/px", "μm/px", "um/pixel", "μm/pixel"})


def plain_heading(heading: str) -> str:
    """A heading without case, spaces, punctuation, and a unit in brackets.

    >>> plain_heading("Subject ID"), plain_heading(" Age (years) "), plain_heading("file_name")
    ('subjectid', 'age', 'filename')
    """
    text = unicodedata.normalize("NFC", heading).casefold()
    return re.sub(r"[\W_]+", "", _BRACKET.sub("", text)) or text.strip()


def meanings(headings: Sequence[str], meant: Collection[str] = frozenset(ROLES)) -> dict[str, str]:
    """Heading -> its meaning; a heading with none of those in `meant`, or with a lesser claim to one, keeps its own name.

    >>> meanings(["Patient ID", "File Name", "group", "bmi", "case"])
    {'Patient ID': 'subject', 'File Name': 'path', 'group': 'group', 'bmi': 'bmi', 'case': 'case'}
    """
    claims: dict[str, tuple[int, str]] = {}
    for heading in headings:
        for role in meant:
            rank = _rank(heading, role)
            if rank is not None and (role not in claims or rank < claims[role][0]):
                claims[role] = rank, heading
    named = {heading: role for role, (_, heading) in claims.items()}
    return {heading: named.get(heading, heading) for heading in headings if heading}


def _rank(heading: str, role: str) -> int | None:
    """How good a heading's claim to a meaning is, 0 for its very name; None for no claim."""
    plain = plain_heading(heading)
    if heading == role:
        return 0
    unit = _BRACKET.search(heading.casefold())
    if plain not in ROLES[role] or (role == "mpp" and unit and unit[1].strip() not in _MICROMETRES):
        return None
    return ROLES[role].index(plain) + 1


def canonical(name: str) -> str:
    """The name under which a list's column is kept with its image; unusual names stay as they are.

    >>> canonical("Label"), canonical("Diagnosis")
    ('label', 'Diagnosis')
    """
    return meanings([name], CARRIED).get(name, name)
