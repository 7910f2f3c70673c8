"""judgement: figures of a harmonization, as parts of documents: of each method, beside what a user would otherwise do."""

from __future__ import annotations

from ...pipeline.documents import JsonNumber, Part


class Spread(Part):
    """A figure of several subjects."""

    mean: JsonNumber
    sd: JsonNumber
    """None for one subject."""
    subjects: dict[str, JsonNumber]
    """Figure of each subject: the mean of its scans."""


class Comparison(Part):
    """A method against another one on the same subjects (`models.evaluation.paired.Pairing`)."""

    other: str
    subjects: int
    difference: JsonNumber
    better: int
    p: JsonNumber
    p_corrected: JsonNumber


class SiteFigure(Part):
    """Accuracy of a fresh classifier of sites (`models.evaluation.site_classifier.SiteAccuracy`)."""

    accuracy: JsonNumber
    low: JsonNumber
    high: JsonNumber
    balanced: JsonNumber
    chance: JsonNumber
    scans: int


class MethodFigures(Part):
    """Figures of one method: the source sites' scans as it leaves them, beside the target's as they are."""

    pairs: dict[str, Spread]
    """On subjects with a scan at the target: "SSIM head", "PSNR head", "SSIM brain", "PSNR brain"; empty without such."""
    classifiers: dict[str, SiteFigure]
    """By what a classifier sees: "intensities", "texture" (with intensities), "network"."""
    mmd2: JsonNumber
    """Squared MMD between embeddings of the source's and the target's scans; 0 for equal distributions."""
    mmd_p: JsonNumber
    rank_values: JsonNumber
    """Rank correlation of distances between subjects with those before: of thumbnails."""
    rank_embeddings: JsonNumber
    """The same, of embeddings."""
    contrast: JsonNumber
    """Mean contrast of the bright tissue class against the middle one."""
    class_overlap: JsonNumber
    """Mean Dice overlap of the three tissue classes with those before."""


class TargetFigures(Part):
    """What the target's own scans have: where a method should arrive."""

    contrast: JsonNumber
    rank_values: JsonNumber
    """Of subjects scanned at both sites: distances at the target against those at the source. None without such subjects."""
    rank_embeddings: JsonNumber
    class_overlap: JsonNumber


class CombatFigures(Part):
    """ComBat on embeddings: fitted on the training subjects of each fold, applied to the others."""

    before: SiteFigure | None
    """A classifier of sites that sees the embeddings as they are; None where `reason` says why."""
    after: SiteFigure | None
    mmd2_before: JsonNumber
    mmd2_after: JsonNumber
    covariates: tuple[str, ...]
    """What was estimated along and stays in."""
    reason: str = ""
    """Why there is no ComBat; empty where there is."""


class Judgement(Part):
    """Figures of all methods."""

    sources: tuple[str, ...]
    target: str
    ours: str
    """The method that is judged; the others are what it is compared with."""
    data_range: JsonNumber
    """Of SSIM and PSNR, fixed for all scans."""
    subjects_fitted: int
    subjects_scored: int
    subjects_paired: int
    """Scored subjects with scans at a source and at the target."""
    tissue_inside: str
    """What tissue classes were made in: brain or head."""
    methods: dict[str, MethodFigures]
    comparisons: dict[str, tuple[Comparison, ...]]
    """Figure on pairs -> ours against every other method (Wilcoxon, Holm)."""
    at_target: TargetFigures
    combat: CombatFigures
    cautions: tuple[str, ...]
    """What makes these figures mean less, in words."""
    left_out: tuple[str, ...]
    """Scans and covariates that could not take part, with the reason."""
