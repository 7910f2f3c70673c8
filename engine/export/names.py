"""Names: what exported files are called, by the rules of BIDS derivatives.

```text
sub-01/ses-02/anat/sub-01_ses-02_acq-hires_desc-clusters_dseg.nii.gz
`- folder ------'  `- entities of the source `--- layer ---' `- suffix
```
Suffixes: `dseg` for label maps; the source's own (T1w) for versions of an image, as BIDS has it for preprocessed data; `map`
for other values, which BIDS has no suffix for (`probseg` is the probability of one region, so a confidence is none).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ...stores.volumes.sessions import session_in, session_of
from ..pipeline.record import ImageRecord

DATATYPES = frozenset({"anat", "beh", "dwi", "fmap", "func", "micr", "perf", "pet"})
"""Folders of BIDS below a subject or session."""
AFTER_RESOLUTION = ("den", "label", "prov", "desc")
"""Entities that stand behind `res` in a name."""
_BIDS = re.compile(r"sub-[A-Za-z0-9]+(?:_[A-Za-z]+-[A-Za-z0-9+]+)*_([A-Za-z0-9]+)\.[A-Za-z0-9.]+")


@dataclass(frozen=True, slots=True)
class SourceName:
    """The entities of a source image."""

    entities: tuple[tuple[str, str], ...]
    """In their order: (("sub", "01"), ("acq", "hires"))."""
    datatype: str = "anat"
    suffix: str = "image"
    """The source's own; `image` where its name is not one of BIDS."""

    @property
    def folder(self) -> str:
        return "/".join([f"{k}-{v}" for k, v in self.entities if k in ("sub", "ses")] + [self.datatype])

    def named(self, desc: str, suffix: str, *, resolution: str = "") -> str:
        """Path below the dataset, without an ending, of a derivative with this description."""
        kept = [(k, v) for k, v in self.entities if not (resolution and k == "res")]
        own = "".join(v for k, v in kept if k == "desc")
        front = [(k, v) for k, v in kept if k not in AFTER_RESOLUTION]
        back = [(k, v) for k, v in kept if k in AFTER_RESOLUTION and k != "desc"]
        parts = [*front, *([("res", resolution)] if resolution else []), *back]
        parts.append(("desc", own + desc[:1].upper() + desc[1:] if own else desc))
        return f"{self.folder}/{'_'.join(f'{k}-{v}' for k, v in parts)}_{suffix}"


def source_names(images: Mapping[str, ImageRecord]) -> dict[str, SourceName]:
    """Id -> entities of every image. Images that would share a name get their id as `acq`."""
    subjects = plain_names(record.subject.removeprefix("sub-") for record in images.values())
    names = {image: _source_name(record, subjects) for image, record in images.items()}
    count = Counter(name.entities for name in names.values())
    return {image: name if count[name.entities] == 1 else _told_apart(name, image) for image, name in names.items()}


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> label of letters and digits, as BIDS requires; a hash tells labels apart that would be the same.

    >>> plain_names(["reconstruction_error", "harmonized/A-1", "B 1", "B1"])["B 1"][:2]
    'B1'
    >>> plain_names(["reconstruction_error", "harmonized/site-A"])
    {'harmonized/site-A': 'harmonizedSiteA', 'reconstruction_error': 'reconstructionError'}
    """
    labels = {name: _plain(name) for name in sorted(set(names))}
    count = Counter(label.lower() for label in labels.values())
    return {
        name: label if label and count[label.lower()] == 1 else label + hashlib.sha256(name.encode()).hexdigest()[:6]
        for name, label in labels.items()
    }


def _plain(name: str) -> str:
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    first, *rest = re.split(r"[^A-Za-z0-9]+", ascii_name)
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _source_name(record: ImageRecord, subjects: Mapping[str, str]) -> SourceName:
    parts = record.name.removesuffix(f"/{record.subimage}").split("/")
    found = _BIDS.fullmatch(parts[-1])
    if found is None:
        session = session_in(record.name) or session_of(record.columns)
        labels = [("sub", subjects[record.subject.removeprefix("sub-")])]
        return SourceName((*labels, *([("ses", _plain(session))] if _plain(session) else [])))
    stem = parts[-1][: found.start(1) - 1]
    entities = tuple((key, value) for key, _, value in (word.partition("-") for word in stem.split("_")))
    datatype = parts[-2] if len(parts) > 1 and parts[-2] in DATATYPES else "anat"
    return SourceName(entities, datatype, found[1])


def _told_apart(name: SourceName, image: str) -> SourceName:
    """The name with the image's id added to its entity `acq`, which BIDS leaves to its users."""
    front = [(k, v) for k, v in name.entities if k in ("sub", "ses", "task")]
    own = "".join(v for k, v in name.entities if k == "acq")
    rest = [(k, v) for k, v in name.entities if k not in ("sub", "ses", "task", "acq")]
    return replace(name, entities=(*front, ("acq", own + _plain(image)), *rest))
