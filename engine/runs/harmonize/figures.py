"""figures: the judgement of a harmonization, from what was measured of every scan.

Nobody is ever compared with another person's scan: pairs are of one subject, classifiers see no test subject in training, and
embeddings are those of components that were fitted on other subjects where there are such.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ....models.evaluation.discrepancy import discrepancy
from ....models.training.components import Components
from ....stores.frame import Array
from .combat_figures import combat_figures
from .effort import Effort
from .judgement import Judgement, MethodFigures
from .kept_figures import Embed, at_target, mean, ranks
from .pair_figures import comparisons, spread
from .scans import Comparable, Version
from .site_figures import classifiers
from .trials import BEFORE, Measured, measure, stacked

COMPONENTS = 32
"""Numbers of an embedding, at most."""


def judgement(
    cohort: Comparable, versions: Mapping[str, Version], ours: str, *, effort: Effort = Effort()
) -> Judgement:
    """Try all versions on all source scans and compare `ours` with the others.

    Raises KeyError where `ours` is no version. The result depends on torch's number of threads where networks are asked for.
    """
    versions = {ours: versions[ours], **versions}
    measured = measure(cohort, versions, effort)
    embed = _embedding(cohort, measured)
    methods = {name: _method(cohort, measured, name, embed, effort) for name in versions}
    embeddings = embed(stacked(measured, BEFORE, np.arange(len(cohort.scans)), "thumbnail"))
    combat, left_out = combat_figures(cohort, embeddings, folds=effort.folds, seed=effort.seed)
    paired = {str(cohort.subjects[row]) for figures in measured.pairs.values() for row in figures}
    return Judgement(
        sources=cohort.names[1:],
        target=cohort.target,
        ours=ours,
        data_range=measured.limit,
        subjects_fitted=len({scan.subject or scan.id for scan in cohort.scans if scan.fitted}),
        subjects_scored=len(np.unique(cohort.subjects[cohort.scored])),
        subjects_paired=len(paired),
        tissue_inside=" or ".join(sorted(measured.inside)),
        methods=methods,
        comparisons=comparisons(methods, ours),
        at_target=at_target(cohort, measured, embed),
        combat=combat,
        cautions=(*cohort.cautions, *_cautions(cohort, measured, len(paired))),
        left_out=(*measured.left_out, *left_out),
    )


def _embedding(cohort: Comparable, measured: Measured) -> Embed:
    """The components of the fitting scans' thumbnails as they are, of sources and target: one space for all methods."""
    thumbnails = stacked(measured, BEFORE, cohort.fitting(), "thumbnail")
    return Components(thumbnails, COMPONENTS).embeddings


def _method(cohort: Comparable, measured: Measured, name: str, embed: Embed, effort: Effort) -> MethodFigures:
    source, target = (np.flatnonzero(cohort.scored & side) for side in (cohort.sites != 0, cohort.sites == 0))
    pairs = _paired(cohort, source, target)
    first, second = (embed(stacked(measured, name, rows, "thumbnail")) for rows in pairs or (source, target))
    apart = discrepancy(first, second, paired=pairs is not None, seed=effort.seed)
    values, embeddings = ranks(cohort, measured, name, embed)
    sights = [measured.sights[name, int(row)] for row in source]
    return MethodFigures(
        pairs={
            figure: spread({int(row): number for row, number in found.items()}, cohort)
            for (method, figure), found in measured.pairs.items()
            if method == name
        },
        classifiers=classifiers(cohort, measured, name, effort),
        mmd2=apart.mmd2,
        mmd_p=apart.p,
        rank_values=values,
        rank_embeddings=embeddings,
        contrast=mean([sight.contrast for sight in sights]),
        class_overlap=mean([sight.overlap for sight in sights]),
    )


def _cautions(cohort: Comparable, measured: Measured, paired: int) -> list[str]:
    notes = []
    if not paired:
        notes.append(
            "no scored subject was scanned at a source and at the target: there is no truth, so figures say whether sites "
            "can be told apart and people stay themselves, not whether a scan is right"
        )
    if cohort.scored[cohort.fitting()].any():
        notes.append("embeddings are of components that the scored scans took part in, as there are no others")
    if measured.inside == {"brain", "head"}:
        notes.append(
            "tissue classes were made in the brain of some scans and in the head of others, which compare badly"
        )
    return notes


def _paired(cohort: Comparable, source: Array, target: Array) -> tuple[Array, Array] | None:
    """Both with one subject a row, where each subject has one scan in each; else None."""
    order = np.argsort(cohort.subjects[source]), np.argsort(cohort.subjects[target])
    subjects = [cohort.subjects[rows][by].tolist() for rows, by in zip((source, target), order, strict=True)]
    if subjects[0] != subjects[1] or len(set(subjects[0])) < len(source):
        return None
    return source[order[0]], target[order[1]]
