"""verdict: in plain words, how many kinds of tissue can be told apart, and how sure that is."""

from __future__ import annotations

from ...show.baselines_section import METHODS
from ...show.numbers import spans
from ...show.page import Caution
from .documents import HeadRecord, Validity
from .settings import MAX_CLUSTERS

HIGH_CHANCE = 0.8
"""Index of data without structure above which the report says that the index tells little."""
KIND_NAMES = {"slide": "kinds of tissue", "volume": "kinds of region", "block": "kinds of tissue"}


def headline(validity: Validity, noun: str, level: int) -> str:
    """The report's first sentence, for images of this noun (slide, block or volume) that are shown at a level of the tree."""
    kinds, k = KIND_NAMES[noun], validity.k
    passing = validity.passing
    if validity.set_by_user:
        verdict = "comes back when the data are drawn again" if k in passing else "does not come back reliably"
        found = f"{k} {kinds}, as was set: a clustering into {k} {verdict}."
        return found if level == k else f"{found} {chosen(validity, level)}"
    if not passing:
        return (
            f"No separate {kinds} can be told apart reproducibly: {_none_of(validity)} when the data are drawn again. The map "
            f"shows {level} clusters all the same."
        )
    between = f" ({spans(passing)} come back)" if len(passing) > 1 else ""
    nature = "with gaps between them" if validity.method == "separate" else "as regions of a continuum without gaps"
    found = f"{k} {kinds} can be told apart reproducibly{between}, {nature}."
    return found if level == k else f"{found} {chosen(validity, level)}"


def _none_of(validity: Validity) -> str:
    low, high = validity.range[0], validity.largest
    return (
        f"{low} clusters do not come back" if low == high else f"no number of clusters from {low} to {high} comes back"
    )


def chosen(validity: Validity, level: int, noun: str = "clusters") -> str:
    """What is to be said of a level that is not the one which the run recommends, and that the user chose."""
    back = "a number that comes back, too" if level in validity.passing else "a number that was not shown to come back"
    return f"This report shows {level} {noun}, as was chosen: {back}."


def range_notices(validity: Validity) -> list[str]:
    """What is to be said where the number of clusters lies at an end of the range that was tried."""
    if validity.set_by_user or validity.k not in validity.passing:
        return []
    low, high = validity.range
    if validity.k == high:
        if high == MAX_CLUSTERS:
            return []
        return [
            f"{high} is the largest number of clusters that was tried: a larger one may be reproducible, too. Give a larger "
            f"range, such as --k {low}-{min(MAX_CLUSTERS, 2 * high)}"
        ]
    if validity.k == low > 2:
        return [
            f"{low} is the smallest number of clusters that was tried: a smaller one may be reproducible, too. Give a range "
            f"such as --k 2-{high}"
        ]
    if validity.k == validity.largest:
        few = f"{validity.drawn if validity.drawn == 'subjects' else 'patches'} are too few for more"
        return [f"{validity.k} is the largest number of clusters that could be tried: {few}"]
    return []


def explanation(validity: Validity, noun: str = "slide") -> list[str]:
    """How the number was found, and what its limits are; `noun` is what an image is called."""
    units = f"{noun}s" if validity.drawn == "slides" else validity.drawn
    drawn = f"Reproducibility: {units} were drawn again and clustered anew; 1 means the same clusters each time."
    rule = (
        "A K is reproducible where this index is at least 0.75 and 0.05 above that of data without any structure, and where no "
        "cluster dissolves. Of the Ks near the best index the largest is taken."
    )
    texts = [drawn, rule]
    if tame := [row.clusters for row in validity.rows if row.chance > HIGH_CHANCE]:
        texts.append(
            f"At K = {spans(tame)} the index of data without structure is above {HIGH_CHANCE} itself: so many come back in any "
            'data, so there a high index tells little, and "no" does not mean that the clusters vary.'
        )
    if validity.largest < validity.range[1]:
        texts.append(f"A K above {validity.largest} was not tried: there are fewer than ten patches for each cluster.")
    elif not validity.set_by_user and validity.k == validity.range[1]:
        texts.append(f"The range ends at {validity.k}: a larger K may be reproducible too, and was not tried.")
    if not validity.set_by_user and validity.k == validity.range[0] > 2:
        texts.append(f"The range begins at {validity.k}: a smaller K was not tried.")
    return texts


def collapsed_heads(record: HeadRecord) -> tuple[Caution, ...]:
    """A warning that names the seeds whose heads collapsed, for objectives that are networks.

    Centres are never called collapsed: those of rare kinds are small and sound.
    """
    seeds = [head.seed for head in record.heads if head.collapsed]
    if not seeds:
        return ()
    from ....models.training.clustering import CLASSICAL

    if record.objective in CLASSICAL:
        return ()
    named = f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"
    what = f"most patches lie in a few clusters, or in all of them alike, after all restarts of {METHODS[record.objective]}"
    if len(seeds) < len(record.heads):
        headline_text = f"{len(seeds)} of {len(record.heads)} initialisations collapsed ({named})."
        return (Caution(headline_text, f"There {what}. The clusters are those of seed {record.seed}, which did not."),)
    text = f"Here {what}. The clusters are those of the least loss, seed {record.seed}: do not rely on them. Try "
    remedy = "another --objective, such as kmeans, a smaller --k, or a larger --effort."
    return (Caution(f"All {len(seeds)} initialisations collapsed ({named}).", text + remedy),)
