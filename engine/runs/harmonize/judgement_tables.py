"""judgement_tables: the judgement of a harmonization as text and tables of the report."""

from __future__ import annotations

from collections.abc import Iterator

from ...show.page import Column, Table
from .documents import JudgementDocument
from .judge import OURS
from .judgement import Judgement, MethodFigures, SiteFigure


def how_judged(document: JudgementDocument) -> Iterator[str]:
    judged = document.judgement
    yield (
        f"Fitted on {judged.subjects_fitted} people, judged on {judged.subjects_scored}; of those "
        f"{judged.subjects_paired} have scans at a source and at {judged.target}. Held out: {document.held_out}."
    )
    if judged.subjects_paired:
        yield (
            "SSIM and PSNR compare a person's version with the same person's scan at the target, inside the "
            f"{_parts(judged)}; the range of values is fixed at {judged.data_range:.3g}. Nobody is compared with another "
            "person."
        )
    yield (
        "Site told: accuracy of a classifier that is trained anew on what the method leaves, with folds by person; lower is "
        "better, chance is the least. MMD² is the distance of the sites' embeddings. Rank: whether distances between people "
        "stay in order; 1 if nothing changes."
    )


def _parts(judged: Judgement) -> str:
    """What SSIM and PSNR are computed inside of, in words."""
    parts = dict.fromkeys(figure.rsplit(" ", 1)[1] for method in judged.methods.values() for figure in method.pairs)
    people = {len(spread.subjects) for name, spread in judged.methods[OURS].pairs.items() if name.endswith("brain")}
    brain = f" (of {people.pop()} people, whose masks of it are named)" if people else ""
    return " and inside the ".join(parts) + brain


def judgement_tables(figures: Judgement) -> Iterator[Table]:
    pairs = list(dict.fromkeys(name for m in figures.methods.values() for name in m.pairs))
    seen = list(dict.fromkeys(name for m in figures.methods.values() for name in m.classifiers))
    names = sorted(figures.methods, key=lambda name: name != OURS)
    if pairs:
        rows = [(name, *(_spread(figures.methods[name], figure) for figure in pairs)) for name in names]
        yield Table(
            (Column("method"), *map(Column, pairs)),
            tuple(rows),
            caption="Against the same person's scan at the target: mean ± standard deviation over people",
            marked=frozenset({0}),
        )
    columns = (Column("method"), *map(Column, seen), *(Column(name) for name in ("MMD²", "rank", "contrast")))
    site_rows = []
    for name in names:
        method = figures.methods[name]
        accuracies = (_accuracy(method.classifiers.get(what)) for what in seen)
        rest = map(number, (method.mmd2, method.rank_values, method.contrast))
        site_rows.append((name, *accuracies, *rest))
    target = figures.at_target
    last = (f"at {figures.target}", *["–"] * len(seen), "–", number(target.rank_values), number(target.contrast))
    chance = next((c.chance for m in figures.methods.values() for c in m.classifiers.values()), None)
    yield Table(
        columns,
        (*site_rows, last),
        caption=f"Site told by {', '.join(seen)} (95 % interval; chance {number(chance)}); people and tissue",
        marked=frozenset({0}),
    )
    compared = [
        (figure, one.other, f"{one.difference:+.4f}", f"{one.better} of {one.subjects}", number(one.p_corrected))
        for figure, others in figures.comparisons.items()
        for one in others
        if one.difference is not None
    ]
    if compared:
        heads = ("figure", "against", "difference", "better for", "p (Wilcoxon, Holm)")
        yield Table(
            tuple(map(Column, heads)), tuple(compared), caption=f"{OURS} against each other method, paired by person"
        )
    combat = figures.combat
    if combat.before and combat.after:
        row = (
            "embeddings",
            _accuracy(combat.before),
            _accuracy(combat.after),
            number(combat.mmd2_before),
            number(combat.mmd2_after),
        )
        heads = ("ComBat", "site told before", "after", "MMD² before", "after ComBat")
        yield Table(
            tuple(map(Column, heads)), (row,), caption="ComBat on embeddings of the images as they are, by folds"
        )


def _spread(method: MethodFigures, figure: str) -> str:
    one = method.pairs.get(figure)
    if one is None or one.mean is None:
        return "–"
    return f"{one.mean:.3f}" + ("" if one.sd is None else f" ± {one.sd:.3f}")


def _accuracy(one: SiteFigure | None) -> str:
    if one is None or one.accuracy is None:
        return "–"
    return f"{one.accuracy:.2f} [{one.low:.2f}, {one.high:.2f}]"


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
