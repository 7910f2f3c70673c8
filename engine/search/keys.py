"""keys: paths of a run's table and index, and the fingerprints that show whether the index fits the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...stores.remote import ObjectPath
from ..pipeline.job import Job
from ..pipeline.record import digest
from ..steps.checkpoints import stated_weights


def table_of(job: Job[Any], kind: str) -> Path:
    return job.folder.out / "tables" / f"{kind}.zarr"


def index_root(job: Job[Any]) -> Path:
    return job.folder.out / "index"


def fingerprint(job: Job[Any], kind: str) -> str:
    """Fingerprint of a table: names, sizes and times of its files, the models behind its embeddings, and the cohort."""
    path = table_of(job, kind)
    if isinstance(path, ObjectPath):
        files: list[Any] = sorted((p.relative_to(path).as_posix(), size) for p, size in path.listing())
        files.append((path / "zarr.json").stat().st_mtime_ns)
    else:
        found = ((p, p.stat()) for p in path.rglob("*") if p.is_file())
        files = sorted((p.relative_to(path).as_posix(), s.st_size, s.st_mtime_ns) for p, s in found)
    cohort = [(r.id, r.name, r.columns_digest, r.path) for r in job.slides.values()]
    return digest(kind, files, model_key(job), cohort)


def model_key(job: Job[Any]) -> str:
    """Digest of the weights behind the embeddings; embeddings of different weights are not comparable."""
    folder = job.folder.out / "models"
    named = [(path.name, stated_weights(path)) for path in sorted(folder.glob("*.json"))]
    return digest([(name, sha256) for name, sha256 in named if sha256])
