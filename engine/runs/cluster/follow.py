"""follow: the user's names, colours and merges go by displayed numbers; where these change, they stay with their tissue."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ...pipeline.documents import find_document, find_run, read_document
from ...pipeline.job import Job
from ...pipeline.progress import Event, Report
from .checks import check_shown
from .classes import Classes
from .documents import CLUSTERS, Clusters
from .match import is_matched, numbering_to_be
from .numbering import NUMBERING, Numbering
from .settings import ShownSettings


def follow(job: Job[ShownSettings], unchanged: Collection[str], report: Report) -> dict[str, Any]:
    """{"classes": those of the run under the numbers that its clusters will have}; {} where nothing changes.

    `job`: under the new settings. `unchanged`: settings that the user leaves as they are. Raises SettingsError (E_MATCH), and
    CorruptError where the numbering was lost, so that the tissue of a number is not known.
    """
    tree, run = find_document(job.folder, CLUSTERS, Clusters), find_run(job.folder)
    if run is not None and "classes" not in unchanged:
        earlier = tuple(
            (int(cluster), name, colour, int(into)) for cluster, name, colour, into in run.settings["classes"]
        )
        if lost := list(replaced(earlier, job.settings.classes)):
            check_shown(job, ())  # what is refused replaces nothing
            report(Event("warning", f"--classes replaces what this run has so far: {'; '.join(lost)}"))
    is_numbered = run is not None and run.is_complete(["match"])
    is_kept = "classes" in unchanged and bool(job.settings.classes)
    if tree is None or not (is_numbered and is_kept) or (job.settings.match and is_matched(job)):
        return {}
    before = read_document(job.folder, NUMBERING, Numbering)
    after = numbering_to_be(job, tree)
    if after.alone == before.alone:
        return {}
    report(Event("note", "names, colours and merges of --classes stay with their tissue, under its new numbers"))
    return {"classes": renumbered(job.settings.classes, before, after)}


def replaced(before: Classes, after: Classes) -> Iterator[str]:
    """Names, colours and merges that the rows of another list replace or drop, in words.

    >>> list(replaced(((1, "fat", "", 0), (2, "", "#ff0000", 3)), ((1, "stroma", "", 0),)))
    ["cluster 1: name 'fat' becomes 'stroma'", "cluster 2: colour '#ff0000' is dropped", 'cluster 2: merge into 3 is dropped']
    """
    rows = {cluster: (name, colour, into) for cluster, name, colour, into in after}
    for cluster, *values in before:
        for what, old, new in zip(
            ("name", "colour", "merge into"), values, rows.get(cluster, ("", "", 0)), strict=True
        ):
            if old and old != new:
                yield f"cluster {cluster}: {what} {old!r} {f'becomes {new!r}' if new else 'is dropped'}"


def renumbered(classes: Classes, before: Numbering, after: Numbering) -> Classes:
    """Rows under other numbers. Names and colours that are not the user's, but those of `before`, are left out."""
    index = {number: i for i, number in enumerate(before.numbers)}
    rows = []
    for cluster, name, colour, into in classes:
        i = index[cluster]
        name, colour = "" if name == before.names[i] else name, "" if colour == before.colours[i] else colour
        if name or colour or into:
            rows.append((after.numbers[i], name, colour, after.numbers[index[into]] if into else 0))
    return tuple(rows)
