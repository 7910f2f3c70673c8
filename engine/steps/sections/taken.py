"""taken: the map of a pair that another run registered, where its files are the same ones."""

from __future__ import annotations

from pathlib import Path

from ....errors import CorruptError, TileEngineError
from ....stores.array import Written, written
from ....stores.folder import Folder
from ....stores.remote import to_path
from ....stores.warps.stored import read_warp, write_warp
from ...pipeline.documents import find_document
from ...pipeline.image_documents import read_images
from ...pipeline.job import Job
from ...pipeline.record import REGISTERED
from ...pipeline.section_file import SectionFile
from .documents import PairRecord, pair_name
from .settings import SectionSettings


def take_pair(job: Job[SectionSettings], image: str, section: SectionFile) -> tuple[list[Written], str]:
    """The files of a pair's map, taken over from the run that the images came from; none, and why, without such a map."""
    record = job.slides[image]
    origin = record.columns.get(REGISTERED, "")
    if not origin:
        return [], ""
    other = Folder(to_path(origin), "sections")
    try:
        found = read_images(other).get(image)
        pair = find_document(other, pair_name(image, section.id), PairRecord)
        same = found is not None and {(s.stain, s.fingerprint, s.reference) for s in found.sections} >= {
            (s.stain, s.fingerprint, s.reference) for s in (section, record.reference)
        }
        if pair is None or not same:
            raise CorruptError("it has no map of these files")
        warp = read_warp(other.transform(image, section.id))
    except TileEngineError as error:
        return [], f"the map of {origin} cannot be taken over, and the pair is registered anew: {error.message}"
    path = job.folder.transform(image, section.id)
    name = f"{record.name}: {record.reference.stain} to {section.stain}"
    files = write_warp(path, warp, name=name, accepted=pair.accepted)
    return [*files, _document(job, image, section, pair)], ""


def _document(job: Job[SectionSettings], image: str, section: SectionFile, pair: PairRecord) -> Written:
    name = pair_name(image, section.id)
    job.folder.write(name, pair.model_dump(mode="json"))
    return written(Path(job.folder.out / f"{name}.json"))
