"""evaluations: the evaluation of embeddings of two runs side by side, such as of original and of harmonized volumes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import SettingsError
from .run import open_run

if TYPE_CHECKING:
    import pandas as pd

SAME = ("folds", "classes", "subjects")
"""What both evaluations must agree in: figures of other folds, or of other cases, are not comparable."""


def compare_evaluations(before: str | Path, after: str | Path) -> pd.DataFrame:
    """Figures of two runs of `embed` on the same volumes: a row for each method and figure.

    Columns: `before` and `after`, means over the folds; `difference`; `folds_up`, in how many folds the figure is larger
    after, and `folds`, of how many (0 for a figure that is computed over all folds together). Of errors (`rmse %`) less is
    better. Both runs must have the same folds: the same volumes, list, `cv` and seed. Raises SettingsError
    (E_OTHER_FOLDS) where they have not, and CorruptError for a run without an evaluation.
    """
    import pandas as pd

    old, new = (open_run(out).evaluation for out in (before, after))
    if unlike := [name for name in SAME if old[name] != new[name]]:
        name = unlike[0]
        raise SettingsError(
            f"{before} and {after} were evaluated on different {name} ({_short(old[name])}; {_short(new[name])}): their "
            "figures are not comparable. Run both on the same list, with the same --cv, --label and --seed.",
            "E_OTHER_FOLDS",
        )
    rows = [
        _row(method, figure, old["methods"][method][figure], value)
        for method, figures in new["methods"].items()
        if method in old["methods"]
        for figure, value in figures.items()
        if figure in old["methods"][method]
    ]
    return pd.DataFrame(rows, columns=["method", "figure", "before", "after", "difference", "folds_up", "folds"])


def _row(method: str, figure: str, old: dict[str, Any], new: dict[str, Any]) -> tuple[Any, ...]:
    known = None not in (old["mean"], new["mean"])
    pairs = [(a, b) for a, b in zip(old["folds"], new["folds"], strict=False) if None not in (a, b)]
    up = sum(b > a for a, b in pairs)
    difference = new["mean"] - old["mean"] if known else None
    return method, figure, old["mean"], new["mean"], difference, up, len(pairs)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
