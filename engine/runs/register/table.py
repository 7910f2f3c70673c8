"""table: one row a pair of sections: what was accepted, scores, folding, seconds, and the distances of its landmarks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....stores.receipts import Ledger
from ....stores.tables import write_table
from ...pipeline.documents import read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.sections.documents import PairRecord, pair_name
from ...steps.sections.steps import PAIRS
from .documents import EVALUATION, Evaluation
from .settings import RegisterSettings

FIGURES = ("rtre_before", "rtre_median", "rtre_mean", "rtre_max", "robustness", "folding", "seconds")


def pair_records(job: Job[RegisterSettings]) -> dict[str, PairRecord]:
    """BLOCK/SECTION, as ids -> what the registration of the pair found."""
    return {
        f"{image}/{section.id}": read_document(job.folder, pair_name(image, section.id), PairRecord)
        for image, record in job.slides.items()
        for section in record.moving
    }


def seconds_of(job: Job[RegisterSettings], pair: str) -> float:
    """Seconds that the registration of a pair took; nan where no receipt says it."""
    image = pair.partition("/")[0]
    receipt = Ledger(job.folder.out, PAIRS, job.ledger_key(PAIRS, image)).find(pair)
    return float(receipt.seconds["compute"]) if receipt else float("nan")


def write_pair_table(job: Job[RegisterSettings], unit: Unit) -> Outcome:
    """Write tables/pairs.zarr: X = figures of each pair (see `FIGURES`), nan where it has no landmarks."""
    import anndata
    import pandas as pd

    outcome = Outcome()
    with outcome.clock("read"):
        pairs = pair_records(job)
        figures = read_document(job.folder, EVALUATION, Evaluation).pairs
    rows: list[dict[str, Any]] = []
    values = np.full((len(pairs), len(FIGURES)), np.nan, np.float64)
    for n, (key, pair) in enumerate(pairs.items()):
        record = job.slides[key.partition("/")[0]]
        rows.append({
            "block": pair.block,
            "subject": record.subject,
            "reference": pair.reference,
            "stain": pair.stain,
            "accepted": pair.accepted,
            "moved": pair.moved,
            "why": pair.why,
            "stages_accepted": ", ".join(stage.name for stage in pair.stages if stage.accepted),
            "stages_rejected": "; ".join(f"{stage.name}: {stage.why}" for stage in pair.stages if not stage.accepted),
            "rotation": float("nan") if pair.rotation is None else float(pair.rotation),
            "flip": pair.flip,
            "landmarks": figures[key].landmarks if key in figures else 0,
        })  # fmt: skip
        if key in figures:
            one = figures[key]
            known = (one.median_before, one.median, one.mean, one.largest, one.robustness)
            values[n, :5] = [np.nan if value is None else value for value in known]
        values[n, 5:] = pair.folding, seconds_of(job, key)
    table = anndata.AnnData(X=values, obs=pd.DataFrame(rows, index=list(pairs)))
    table.var_names = list(FIGURES)
    with outcome.clock("write"):
        outcome.files += write_table(job.folder.out / "tables" / "pairs.zarr", table)
    outcome.facts["pairs"] = len(pairs)
    return outcome
