"""page_tables: the tables of the report of a run that classifies films."""

from __future__ import annotations

from ...show.page import Column, Table
from ...show.spreadsheet import Cell
from .documents import Evaluation, Folds, Interval
from .evaluate import NETWORK

TITLES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "calibration_error": "calibration error",
}


def text_of(figure: Interval) -> str:
    """A figure with its interval."""
    if figure.value is None:
        return "–"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def figures_table(document: Evaluation) -> Table:
    """The network, its stages, and what needs no network, a row each."""
    names = list(document.network)
    columns = (Column("method"), *(Column(TITLES[name]) for name in names))
    rows: list[tuple[Cell, ...]] = [(NETWORK, *(text_of(document.network[name]) for name in names))]
    stages = list(document.stages.items())
    for stage, figures in stages[:-1]:  # the last stage is the network
        rows.append((f"after stage {stage}", *(text_of(figures[name]) for name in names)))
    for name, method in document.methods.items():
        own = {
            "auroc": text_of(method.auroc),
            "accuracy": f"{method.accuracy:.3f}" if method.accuracy is not None else "",
        }
        rows.append((name.replace("_", " "), *(own.get(key, "") for key in names)))
    majority = {
        "accuracy": f"{document.majority or 0:.3f}",
        "balanced_accuracy": f"{1 / len(document.classes):.3f}",
        "auroc": "0.500",
    }
    rows.append(("the most frequent label, always", *(majority.get(key, "") for key in names)))
    return Table(columns, tuple(rows), marked=frozenset({0}))


def comparisons_table(document: Evaluation) -> Table:
    columns = (Column("first"), Column("second"), Column("difference of AUROC"), Column("p", "number"))
    rows = tuple(
        (one.first, one.second, text_of(Interval(value=one.difference, low=one.low, high=one.high)), one.p)
        for one in document.comparisons
    )
    return Table(columns, rows, "DeLong's test, films counted as independent")


def confusion_table(document: Evaluation) -> Table:
    columns = (Column("true label"), *(Column(f"named {name}", "number") for name in document.classes))
    return Table(columns, tuple((name, *row) for name, row in zip(document.classes, document.confusion, strict=True)))


def sites_table(document: Evaluation) -> Table:
    columns = (
        Column("site"),
        *(Column(name, "number") for name in document.classes),
        Column("accuracy"),
        Column("AUROC", "number"),
    )
    rows = tuple(
        (site, *(one.films.get(name, 0) for name in document.classes), text_of(one.accuracy), one.auroc)
        for site, one in document.sites.items()
    )
    return Table(columns, rows, "Films by label; accuracy with Wilson's interval")


def matrix_table(document: Evaluation) -> Table:
    tests = sorted({cell.test_site for cell in document.site_matrix})
    cells = {(cell.train_site, cell.test_site): text_of(cell.auroc) for cell in document.site_matrix}
    trained = sorted({cell.train_site for cell in document.site_matrix})
    rows = tuple((site, *(cells[site, test] for test in tests)) for site in trained)
    return Table((Column("trained at"), *(Column(f"judged at {test}") for test in tests)), rows, "AUROC")


def confound_table(document: Evaluation) -> Table:
    confound = document.confound
    assert confound is not None
    rows: tuple[tuple[Cell, ...], ...] = (
        ("AUROC of the site alone", confound.site_alone),
        ("AUROC of the network over pairs of films of one site", confound.within_sites),
        ("share of the pairs that are of one site", confound.pairs_within),
        ("accuracy of naming the site from 32 x 32 pixels", confound.site_named.value),
        ("share of the largest site", confound.largest_site),
    )
    return Table((Column("figure"), Column("value", "number")), rows)


def parts_table(folds: Folds) -> Table:
    columns = (Column("network"), Column("trained on"), Column("validation"), Column("judges"))
    rows = tuple((name, *map(_counts, (one.train, one.validation, one.test))) for name, one in folds.networks.items())
    return Table(columns, rows)


def _counts(films: dict[str, int]) -> str:
    return ", ".join(f"{label or 'no label'} {count:,}" for label, count in films.items()) or "–"
