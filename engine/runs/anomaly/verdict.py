"""verdict: in plain words, whether the shown score tells normal images from others, and how sure that is."""

from __future__ import annotations

from ...show.numbers import whole
from .documents import Evaluation
from .score_names import called


def headline(document: Evaluation, names: str, seen: str) -> str:
    """The report's first sentences, on images of this name, of which networks see pieces of that name."""
    found, score = document.scores[document.shown].detected, called(document.shown)
    unlike = " that were not trained on" if document.unseen else ", all of which were trained on"
    if found is None or found.auroc is None:
        return (
            f"{document.judged:,} {names} of {document.subjects:,} subjects were scored by how unlike the {seen} of the "
            "training they are. Whether the score finds anything cannot be told: labels of normal images and of enough others "
            "are not known."
        )
    if found.low is None or found.high is None:
        sure, interval = f"{names} of so few subjects cannot tell whether that is more than chance", ""
    else:
        interval = f" (95 % interval {whole(found.low)} to {whole(found.high)})"
        sure = "more than chance" if found.low > 0.5 else "less than chance: it is turned round"
        sure = "no more than chance as far as can be told" if found.low <= 0.5 <= found.high else sure
    return (
        f"Of a {names.removesuffix('s')} labelled {document.normal} and one with another label, the score ({score}) finds "
        f"the second more unlike in {whole(found.auroc)} of the pairs{interval}, where chance is 50 %: {sure}. "
        f"Judged on {_judged(document, names)}{unlike}."
    )


def _judged(document: Evaluation, names: str) -> str:
    """The images that the area is of: those with a label."""
    if document.labelled == document.judged:
        return f"{document.judged:,} {names} of {document.subjects:,} subjects"
    subjects = f" of {document.labelled_subjects:,} subjects" if document.labelled_subjects is not None else ""
    return f"{document.labelled:,} {names}{subjects} ({document.judged - document.labelled:,} more have no label)"
