"""apart: which slides are clustered together, where each stain has a run of its own."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ....errors import SettingsError, SlideError
from ....stores.ours import OWN_FOLDERS
from ....stores.slides.cohort import Cohort, SlideEntry
from ....stores.slides.file_marks import fingerprint
from ....stores.slides.sections import BLOCK
from ...pipeline.documents import StainRun, StainRuns, StainSlide
from ...pipeline.listing import first_of
from .settings import ClusterSettings

if TYPE_CHECKING:
    from ....models.stains.profile import StainProfile

COLUMN = "stain"
"""Column of the list of slides that names a slide's stain."""
MAX_LISTED = 10
RESERVED = re.compile(rf"({'|'.join(map(re.escape, (*OWN_FOLDERS, 'searches')))})|.*\.(json|html|csv|txt|zarr)")
"""Names in OUT with another meaning: folders of a run, and files such as run.json, report.html, log.txt."""


def decide_stains(cohort: Cohort, settings: ClusterSettings, earlier: StainRuns | None) -> StainRuns:
    """The slides of each stain: by the column `stain` if the list has one, else as decided earlier for them, else by colour.

    Raises SettingsError (E_STAINS) where the column names some slides only, and where two names make one folder.
    """
    entries = sorted(cohort.entries, key=lambda entry: entry.id)
    slides = {entry.id: StainSlide(name=entry.name, fingerprint=_fingerprint(entry)) for entry in entries}
    root = str(cohort.root.absolute())
    if stains := _of_column(entries):
        groups = {name: [i for i in slides if stains[i] == name] for name in dict.fromkeys(stains.values())}
        return StainRuns(decided="column", input=root, runs=_runs(groups, slides))
    if earlier and earlier.decided == "pixels" and _slides_of(earlier) == slides:
        return earlier
    from ...steps.source_stain import TooLittle, source_stains

    answers = dict(zip(slides, source_stains(entries, settings.mpp), strict=True))
    areas = {i: round(answer.mm2, 4) for i, answer in answers.items() if isinstance(answer, TooLittle)}
    profiles = {i: None if isinstance(answer, str | TooLittle) else answer for i, answer in answers.items()}
    untold = dict.fromkeys(areas, "tissue") | {i: answer for i, answer in answers.items() if isinstance(answer, str)}
    runs = _runs(groups_by_colour(profiles, earlier), slides)
    return StainRuns(decided="pixels", input=root, runs=runs, untold=untold, stained_mm2=areas)


def decide_stains_of_blocks(cohort: Cohort, settings: ClusterSettings, earlier: StainRuns | None) -> StainRuns:
    """As `decide_stains`, of sections of blocks, and the one spacing that the runs of all stains work at.

    A run that has begun keeps its own.
    """
    from ...images.sections import spacing_of_sections

    stains = decide_stains(cohort, settings, earlier)
    if settings.spacing:
        return stains
    same = earlier is not None and _slides_of(earlier).keys() == _slides_of(stains).keys()
    spacing = earlier.runs[0].spacing if earlier and same else spacing_of_sections(cohort, settings.mpp)
    runs = tuple(run.model_copy(update={"spacing": spacing}) for run in stains.runs)
    return stains.model_copy(update={"runs": runs})


def slides_of_stain(cohort: Cohort, run: StainRun) -> tuple[Cohort, dict[str, Any]]:
    """The slides of one stain, and the settings that are its own: none."""
    return replace(cohort, entries=tuple(entry for entry in cohort.entries if entry.id in run.slides)), {}


def blocks_of_stain(cohort: Cohort, run: StainRun) -> tuple[Cohort, dict[str, Any]]:
    """All sections of the blocks that have the stain, as one of them is the reference, and the settings of the stain."""
    blocks = {entry.extra[BLOCK] for entry in cohort.entries if entry.id in run.slides}
    entries = tuple(entry for entry in cohort.entries if entry.extra[BLOCK] in blocks)
    own: dict[str, Any] = {"stains": "together", "stain": run.name}
    return replace(cohort, entries=entries), own | ({"spacing": run.spacing} if run.spacing else {})


def groups_by_colour(
    profiles: Mapping[str, StainProfile | None], earlier: StainRuns | None = None
) -> dict[str, list[str]]:
    """Name of a stain -> ids of its slides. Slides without a profile are in the largest group.

    A group keeps the name of the earlier one that shares most slides with it.
    """
    from ....models.stains.alike import stain_groups

    numbers = dict(zip(profiles, stain_groups(list(profiles.values())).group.tolist(), strict=True))
    untold = [i for i, number in numbers.items() if number < 0]
    members: dict[int, list[str]] = {}
    for i, number in numbers.items():
        if number >= 0:
            members.setdefault(number, []).append(i)
    largest = max(members, key=lambda number: len(members[number]), default=0)
    members[largest] = sorted([*members.get(largest, []), *untold])
    names = _names(members, earlier)
    return {names[number]: ids for number, ids in members.items()}


def _names(members: Mapping[int, Sequence[str]], earlier: StainRuns | None) -> dict[int, str]:
    known = {run.name: set(run.slides) for run in earlier.runs} if earlier else {}
    names: dict[int, str] = {}
    for number, ids in sorted(members.items(), key=lambda item: (-len(item[1]), item[0])):
        shared = {name: len(slides & set(ids)) for name, slides in known.items() if name not in names.values()}
        if best := max(shared, key=lambda name: shared[name], default="") if any(shared.values()) else "":
            names[number] = best
    free = (f"stain-{n}" for n in range(1, len(members) + len(known) + 1) if f"stain-{n}" not in known)
    return {number: names.get(number) or next(free) for number in members}


def _of_column(entries: Sequence[SlideEntry]) -> dict[str, str]:
    """Id -> stain by the list; {} where the list names none. Raises SettingsError where it names some slides only."""
    stains = {entry.id: entry.extra.get(COLUMN, "").strip() for entry in entries}
    if not any(stains.values()):
        return {}
    if unnamed := [entry.name for entry in entries if not stains[entry.id]]:
        raise SettingsError(
            f"the column `{COLUMN}` of the list names no stain for {first_of(unnamed, MAX_LISTED)}, and each stain is "
            "clustered on its own. Fill the column in, remove it (stains are then told by colour), or give --stains together.",
            "E_STAINS",
        )
    return stains


def _runs(groups: Mapping[str, Sequence[str]], slides: Mapping[str, StainSlide]) -> tuple[StainRun, ...]:
    owners: dict[str, str] = {}
    runs = []
    for name, ids in groups.items():
        folder = folder_of(name)
        other = owners.setdefault(folder.lower(), name)
        if other != name or RESERVED.fullmatch(folder.lower()):
            reason = f"and so would {other!r}" if other != name else "which has another meaning in a folder of results"
            raise SettingsError(
                f"the results of stain {name!r} would lie in a folder {folder}, {reason}. Correct the names in the column "
                f"`{COLUMN}` of the list (one spelling a stain), or give --stains together.",
                "E_STAINS",
            )
        runs.append(StainRun(name=name, folder=folder, slides={i: slides[i] for i in ids}))
    return tuple(runs)


def folder_of(name: str) -> str:
    """Name of a stain as a folder's name: plain letters and digits; of a name in another script, a hash.

    >>> folder_of("H&E"), folder_of("Masson trichrome"), folder_of("苏木精")
    ('H-E', 'Masson-trichrome', 'stain-945accee')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", plain)[:40].strip("-._")
    return plain or f"stain-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _slides_of(stains: StainRuns) -> dict[str, StainSlide]:
    return dict(sorted((i, slide) for run in stains.runs for i, slide in run.slides.items()))


def _fingerprint(entry: SlideEntry) -> str:
    try:
        return fingerprint(entry.path)
    except (OSError, SlideError):
        return ""
