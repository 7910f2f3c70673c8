"""rows: the rows of a gallery, from a run's table or from newly encoded volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ...errors import SettingsError
from ...stores.cases import Cases, TextColumn
from ...stores.frame import Array
from ...stores.tables import read_table
from ..pipeline.job import Job
from ..pipeline.record import ImageRecord
from .keys import model_key, table_of

TEXTS = ("id", "name", "subject", "site", "label", "path", "part")
"""Text columns; tiles have `slide` in place of `id`, and their ids are made from it."""
PLACES = ("plane", "row", "column")
"""Columns of a tile's position on the grid of tiles; slides have no `plane`."""

FROM_RECORD: Mapping[str, Callable[[ImageRecord], str]] = {
    "name": lambda r: r.name,
    "subject": lambda r: r.subject,
    "site": lambda r: r.site,
    "path": lambda r: r.path,
    "part": lambda r: r.subimage,
}
"""Text column of a tile -> its value from the image's record."""


def gathered(job: Job[Any], kind: str, notes: list[str]) -> Cases:
    """The rows of a run's table; rows whose embeddings are not finite are left out, with a note. Raises SettingsError."""
    table = read_table(table_of(job, kind))
    # a later step may have rejected an image, whose rows stay until the table is made anew
    if kind == "tiles" and not (in_use := table.obs["slide"].isin(list(job.slides)).to_numpy()).all():
        table = table[in_use]
    vectors = np.ascontiguousarray(np.asarray(table.X), np.float32)
    cases = (_volumes if kind == "volumes" else _tiles)(job, table.obs, vectors)
    finite = np.isfinite(vectors).all(1)
    if not finite.all():
        notes.append(f"{int((~finite).sum())} cases have embeddings that are not finite: they are left out")
        cases = cases.rows(np.flatnonzero(finite))
    if not len(cases):
        raise SettingsError(f"{table_of(job, kind)} holds no row that can be searched.", "E_NO_TABLE")
    return cases


def _volumes(job: Job[Any], obs: Any, vectors: Array) -> Cases:
    ids = [str(i) for i in obs["id"]] if "id" in obs else list(map(str, obs.index))
    records = [job.slides.get(i) for i in ids]
    words = {"id": TextColumn.of(ids)}
    for name in TEXTS[1:5]:
        words[name] = TextColumn.of(_text(v) for v in obs[name]) if name in obs else TextColumn.of([""] * len(ids))
    words["path"] = TextColumn.of(r.path if r else "" for r in records)
    words["part"] = TextColumn.of(r.subimage if r else "" for r in records)
    subjects = [words["subject"][i] for i in range(len(ids))]
    words["subject"] = TextColumn.of(
        "" if subject == case_id else subject for case_id, subject in zip(ids, subjects, strict=True)
    )
    return Cases(vectors, words)


def _tiles(job: Job[Any], obs: Any, vectors: Array) -> Cases:
    slides = obs["slide"].astype("category").cat
    codes = slides.codes.to_numpy().astype(np.int32)
    names = [str(s) for s in slides.categories]
    words = {"slide": TextColumn(codes, np.array(names, np.str_))}
    records = [job.slides.get(s) for s in names]
    for name, text in FROM_RECORD.items():
        each = TextColumn.of(text(r) if r else "" for r in records)
        words[name] = TextColumn(each.codes[codes], each.names)
    if "cluster" in obs:
        is_named = "cluster_name" in obs  # tables of earlier versions have no names
        clusters = obs["cluster_name" if is_named else "cluster"].astype("category").cat
        labels = np.array([str(c) if is_named else f"cluster {c}" for c in clusters.categories], np.str_)
        words["label"] = TextColumn(clusters.codes.to_numpy().astype(np.int32), labels)
    columns = (*PLACES, "z_um", "y_um", "x_um")
    return Cases(vectors, words, {n: obs[n].to_numpy() for n in columns if n in obs})


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def cases_of(job: Job[Any], records: Iterable[ImageRecord], vectors: Array) -> Cases:
    """Newly encoded volumes as rows of the index."""
    records = list(records)
    texts = {
        "id": [r.id for r in records],
        "name": [r.name for r in records],
        "subject": [subject_of(r) for r in records],
        "site": [r.site for r in records],
        "label": [r.columns.get(job.settings.class_column, "") for r in records],
        "path": [r.path for r in records],
        "part": [r.subimage for r in records],
        "fingerprint": [r.fingerprint for r in records],
        "model": [model_key(job)] * len(records),
    }
    return Cases(np.ascontiguousarray(vectors, np.float32), {n: TextColumn.of(v) for n, v in texts.items()})


def subject_of(record: ImageRecord) -> str:
    """The subject of a volume if one was stated, else empty: a subject equal to the volume's id is only a default."""
    return "" if record.subject == record.id else record.subject
