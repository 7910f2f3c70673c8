"""registered: the sections of a run that registered them, as the input of another run, which takes over its maps."""

from __future__ import annotations

from pathlib import Path

from ...errors import NoInputError
from ...stores.folder import Folder
from ...stores.remote import as_list, to_path
from ...stores.slides.cohort import Cohort, SlideEntry, slide_id
from ...stores.slides.sections import BLOCK, LANDMARKS, ORDER, REFERENCE, STAIN, find_sections
from ..pipeline.documents import read_run
from ..pipeline.image_documents import read_images
from ..pipeline.modality import Images
from ..pipeline.record import MAPS, REGISTERED, ImageRecord
from ..pipeline.section_file import SectionFile


def find_sections_or_run(spec: Images) -> Cohort:
    """The sections of a list or folder (`find_sections`), or of a run on sections, whose maps are then taken over."""
    specs = as_list(spec)
    path = to_path(specs[0]) if len(specs) == 1 else None
    return _of_run(path) if path is not None and (path / "run.json").exists() else find_sections(spec)


def holds_sections(path: Path) -> bool:
    """Whether a path is the folder of a run on sections."""
    return (path / "run.json").exists() and any(one.sections for one in read_images(Folder(path.absolute())).values())


def _of_run(out: Path) -> Cohort:
    folder = Folder(out.absolute())
    run, images = read_run(folder), read_images(folder)
    maps = run.fingerprints.get("pairs", "")
    entries = [_entry(out, record, section, maps) for record in images.values() for section in record.sections]
    if not entries:
        raise NoInputError(
            f"{out} holds the results of a run that had no sections. Name the folder of a run on sections, or the sections: "
            "their folder or their list."
        )
    note = (
        f"{out}: its {len(images)} blocks and their registration are taken over; --resolution, --nonrigid and --seed do not "
        "change the maps"
    )
    return Cohort(tuple(entries), (), to_path(run.input), notes=(note,), listed=True)


def _entry(out: Path, record: ImageRecord, section: SectionFile, maps: str) -> SlideEntry:
    own = {name: value for name, value in record.columns.items() if name not in (LANDMARKS, REGISTERED, MAPS)}
    stains = tuple(one.stain for one in record.sections)
    if set(stains) <= set(record.stains):  # of a run by one stain alone, the reference has no channels
        stains = record.stains
    extra = {
        **own,
        BLOCK: record.name,
        STAIN: section.stain,
        ORDER: str(stains.index(section.stain)),
        REFERENCE: "yes" if section.reference else "",
        REGISTERED: str(out.absolute()),
        MAPS: maps,
    }
    if section.landmarks:
        extra[LANDMARKS] = section.landmarks
    return SlideEntry(
        slide_id(section.name, part=section.part),
        to_path(section.path),
        section.name,
        mpp=section.mpp,
        subject=record.subject,
        site=record.site,
        extra=extra,
        part=section.part,
    )
