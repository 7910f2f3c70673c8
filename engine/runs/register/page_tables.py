"""page_tables: the tables of the report on registered sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...pipeline.record import ImageRecord
from ...show.page import Column, Table
from ...show.spreadsheet import Cell
from ...steps.sections.documents import PairRecord
from .documents import Evaluation, PairFigures


def pairs_table(pairs: Mapping[str, PairRecord], seconds: Mapping[str, float]) -> Table:
    """One row a pair."""
    columns = (
        Column("Block"),
        Column("Stain"),
        Column("Reference"),
        Column("Result"),
        Column("Stages kept"),
        Column("Turned, °", "number"),
        Column("Mirrored"),
        Column("Folding", "share"),
        Column("Seconds", "number"),
    )
    rows = tuple(
        (
            pair.block,
            pair.stain,
            pair.reference,
            _result(pair),
            ", ".join(stage.name for stage in pair.stages if stage.accepted) or "none",
            float(pair.rotation or 0),
            "yes" if pair.flip else "no",
            float(pair.folding or 0),
            seconds[key],
        )
        for key, pair in pairs.items()
    )
    return Table(columns, rows, marked=frozenset(n for n, pair in enumerate(pairs.values()) if not pair.accepted))


def _result(pair: PairRecord) -> str:
    if not pair.accepted:
        return f"rejected: {pair.why}"
    return "registered" if pair.moved else "left as it lies"


def stages_table(pairs: Mapping[str, PairRecord]) -> Table:
    """One row a stage of a pair."""
    columns = (
        Column("Block"),
        Column("Stain"),
        Column("Stage"),
        Column("Kept"),
        Column("Score before", "number"),
        Column("Score after", "number"),
        Column("Why"),
    )
    rows = tuple(
        (
            pair.block,
            pair.stain,
            stage.name,
            "yes" if stage.accepted else "no",
            _number(stage.score_before),
            _number(stage.score_after),
            stage.why,
        )
        for pair in pairs.values()
        for stage in pair.stages
    )
    return Table(columns, rows, caption="Scores: similarity on the tissue held out; larger is better.")


def landmarks_table(evaluation: Evaluation) -> Table:
    """One row a pair with landmarks, and one of all."""
    columns = (
        Column("Block"),
        Column("Stain"),
        Column("Landmarks", "number"),
        Column("Median before, %", "number"),
        Column("Best affine map, %", "number"),
        Column("Median, %", "number"),
        Column("Mean, %", "number"),
        Column("Largest, %", "number"),
        Column("Robustness", "share"),
    )
    rows = [_figures(one) for one in evaluation.pairs.values()]
    if (whole := evaluation.all) is None:
        return Table(columns, tuple(rows))
    count = sum(one.landmarks for one in evaluation.pairs.values())
    mean_of = [
        100 * sum(map(_number, values)) / len(evaluation.pairs)
        for values in zip(*((one.median_before, one.affine_oracle) for one in evaluation.pairs.values()), strict=True)
    ]
    figures = [100 * _number(v) for v in (whole.average_median, whole.average_mean, whole.average_largest)]
    last: tuple[Cell, ...] = ("mean over pairs", "", count, *mean_of, *figures, _number(whole.average_robustness))
    return Table(columns, (*rows, last), marked=frozenset({len(rows)}))


def _figures(one: PairFigures) -> tuple[Cell, ...]:
    figures = [
        100 * _number(value) for value in (one.median_before, one.affine_oracle, one.median, one.mean, one.largest)
    ]
    return (one.block, one.stain, one.landmarks, *figures, _number(one.robustness))


def blocks_table(records: Iterable[ImageRecord]) -> Table:
    """One row a block: its sections and what is missing."""
    columns = (Column("Block"), Column("Reference"), Column("Sections"), Column("Missing stains"), Column("Id", "code"))
    rows = tuple(
        (
            record.name,
            record.reference.stain,
            ", ".join(section.stain for section in record.sections),
            ", ".join(stain for stain in record.stains if record.section(stain) is None) or "none",
            record.id,
        )
        for record in records
    )
    return Table(columns, rows)


def _number(value: float | int | None) -> float:
    return float("nan") if value is None else float(value)
