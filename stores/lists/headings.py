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
    "age": ("age", "ageyears", "ageinyears", "ageatscan", "patientage", "subjectage"),
    "sex": ("sex", "gender", "patientsex", "subjectsex"),
    "split": ("split",),
    "mask": ("mask", "maskpath", "maskfile"),
    "tissue_mask": ("tissuemask",),
    "session": ("session", "sessionid", "ses"),
}
"""Name under which a column is kept with its image -> its usual headings without case, spaces and punctuation."""
ROLES: Mapping[str, tuple[str, ...]] = {
    "path": (
        "path", "file", "filename", "filepath", "fullpath", "slide", "slidepath", "slidefile", "slidename", "image",
        "imagepath", "imagefile", "imagename", "volume", "volumepath", "scan", "slideid", "imageid", "wsi",
        "wsipath", "wsifile", "volumefile", "volumename", "scanpath", "scanfile", "scanname", "nifti", "niftipath", "niftifile",
        "mri", "mripath", "mrifile", "dicom", "dicompath", "dicomfolder", "film", "filmpath", "filmfile", "imagefilename",
        "slidefilename", "filelocation", "uri", "url",
    ),
    "subject": (
        "subject", "subjectid", "participantid", "participant", "patientid", "patient", "patientnumber", "donorid", "donor",
        "individualid", "individual", "animalid", "animal", "mouseid", "mouse", "caseid", "case", "subjectnumber", "subjectno",
        "subjectcode", "subjid", "subj", "subid", "sub", "participantnumber", "participantno", "participantcode", "patientno",
        "patientcode", "patid", "ptid", "pid", "mrn", "personid", "person", "animalnumber", "animalno", "ratid", "rat",
        "casenumber", "caseno", "casesubmitterid", "recordid", "pseudonym", "id",
    ),
    "site": ("site", "siteid", "center", "centre", "centerid", "centreid", "institution", "hospital", "sitename"),
    "mpp": ("mpp", "micronsperpixel", "micrometersperpixel", "micrometresperpixel", "umperpixel", "μmperpixel", "umpx", "μmpx"),
    "part": ("part",),
    "block": ("block", "blockid", "blockname", "tissueblock"),
    "order": ("order", "sectionorder", "sectionnumber", "sectionno"),
    "reference": ("reference", "isreference"),
    "landmarks": ("landmarks", "landmarksfile", "landmarkspath", "landmarkfile"),
    **CARRIED,
}  # fmt: skip
"""Meaning of a column -> its usual headings; of two in one list the earlier decides. `group` is never the subject."""
CLASSES = frozenset({
    "diagnosis", "diagnoses", "diagnosticgroup", "dx", "dxgroup", "class", "classes", "classlabel", "condition", "disease",
    "diseasestatus", "pathology", "phenotype", "group", "researchgroup", "status", "category", "histology", "subtype",
})  # fmt: skip
"""Plain headings of columns that mostly name classes. None is taken for the column `label` unless a user says so."""
_BRACKET = re.compile(r"[(\[]([^()\[\]]*)[)\]]\s*$")
_UNITS = {
    "mpp": frozenset({"", "um", "μm", "micron", "microns", "um/px", "μm/px", "um/pixel", "μm/pixel"}),
    "age": frozenset({"", "y", "yr", "yrs", "year", "years", "at scan", "at visit", "at baseline", "in years"}),
}
"""Meaning -> what may stand in brackets behind its heading: a column in another unit keeps its own name."""


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
    if plain not in ROLES[role] or (unit and role in _UNITS and unit[1].strip() not in _UNITS[role]):
        return None
    return ROLES[role].index(plain) + 1


def usual_roles(cells: Sequence[str], meant: Collection[str]) -> frozenset[str]:
    """The meanings that the cells of a row have as headings.

    >>> sorted(usual_roles(["File", "Patient ID", "bmi"], {"path", "subject", "site"}))
    ['path', 'subject']
    """
    plain = {plain_heading(cell) for cell in cells if cell}
    return frozenset(role for role in meant if not plain.isdisjoint(ROLES[role]))


def count_headings(cells: Sequence[str], keys: Collection[str], meant: Collection[str]) -> int:
    """How many cells of a row are headings, usual ones or of classes; 0 where none has a meaning of `keys`.

    The very name of such a meaning counts twice, as it is hardly a value.

    >>> count_headings(["File", "Diagnosis", "bmi"], ["path"], {"age"}), count_headings(["age", "sex"], ["path"], {"age"})
    (2, 0)
    >>> count_headings(["path"], ["path"], {"age"})
    2
    """
    found = usual_roles(cells, {*meant, *keys})
    if found.isdisjoint(keys):
        return 0
    classes = sum(names_classes(cell) and plain_heading(cell) not in CARRIED for cell in cells)
    return len(found) + classes + any(cell in keys for cell in cells)


def names_classes(column: str) -> bool:
    """Whether a column mostly names classes, by its heading.

    >>> names_classes("Diagnosis"), names_classes("age")
    (True, False)
    """
    return plain_heading(column) in CLASSES


def listed_column(name: str, columns: Collection[str]) -> str:
    """The column of a cohort that a user means: one of that name, else of that meaning, else of the same plain heading; the
    name as it is where there is none.

    >>> listed_column("Gender", ["sex", "dx"]), listed_column("Gender", ["sex", "Gender"]), listed_column("DX", ["sex", "dx"])
    ('sex', 'Gender', 'dx')
    """
    meaning = meanings([name], CARRIED).get(name, name)
    found = [name, meaning, *(one for one in columns if plain_heading(one) == plain_heading(name))]
    return next((one for one in found if one in columns), name)
