"""verdict: in plain words, what a harmonization changed: whether sites are still told, and how near it comes to real scans."""

from __future__ import annotations

from ...show.numbers import whole
from .judge import IDENTITY, OURS
from .judgement import Judgement

WORST_P = 0.05
"""Largest corrected p-value at which versions are said to be nearer to or farther from real scans."""


def headline(judged: Judgement, images: str, harmonized: int) -> str:
    """The report's first sentences, on images of this name."""
    done = f"{harmonized} {images} of {', '.join(judged.sources)} have a version as of {judged.target}."
    return " ".join(filter(None, (done, _near(judged), _site_claim(judged))))


def _near(judged: Judgement) -> str:
    """How near versions come to scans of the same people at the target."""
    ours, before = judged.methods[OURS].pairs, judged.methods.get(IDENTITY)
    for figure, spread in ours.items():
        earlier = before.pairs.get(figure) if before else None
        if spread.mean is None or earlier is None or earlier.mean is None:
            continue
        number = len(spread.subjects)
        people = f"{number} {'person' if number == 1 else 'people'}"
        claim, how = _compared(judged, figure)
        return f"{claim}: {figure} {spread.mean:.3f}, as they were {earlier.mean:.3f} ({people}{how})."
    return "Nobody has scans at both sites, so no version can be held against the truth."


def _compared(judged: Judgement, figure: str) -> tuple[str, str]:
    """Whether versions come nearer by a figure, by the paired test against scans as they are, and the test's result."""
    there = "the same people's scans there"
    unsure = f"Whether they are nearer to {there} is not certain"
    found = next((one for one in judged.comparisons.get(figure, ()) if one.other == IDENTITY), None)
    if found is None or found.p_corrected is None:
        return unsure, ""
    how = f"; better for {found.better} of {found.subjects}, p {found.p_corrected:.2g}"
    if found.p_corrected > WORST_P or not found.difference:
        return unsure, how
    return f"They are {'nearer to' if found.difference > 0 else 'farther from'} {there}", how


def _site_claim(judged: Judgement) -> str:
    """Whether a classifier still tells the sites, by the strongest one before."""
    ours, before = judged.methods[OURS].classifiers, judged.methods.get(IDENTITY)
    known = {
        name: one.accuracy
        for name, one in (before.classifiers.items() if before else ())
        if one.accuracy is not None and name in ours and ours[name].accuracy is not None
    }
    if not known or before is None:
        return "Whether the site can still be told could not be judged."
    name = max(known, key=lambda name: known[name])
    after, chance = ours[name], ours[name].chance or 0.0
    was_told = (before.classifiers[name].low or 0.0) > chance
    is_told = after.low is not None and after.low > chance
    if is_told and was_told:
        claim = "The site can still be told"
    elif is_told:
        claim = "The site can be told of the versions, which was not certain before"
    elif was_told and (after.accuracy or 0.0) < known[name]:
        claim = "The site cannot be told for certain any more"
    else:
        claim = "Whether the site can be told is not certain, before or after"
    return (
        f"{claim}: a classifier of {name} names it for {whole(after.accuracy or 0.0)} of {after.scans} scans of "
        f"{judged.subjects_scored} {'person' if judged.subjects_scored == 1 else 'people'}, for {whole(known[name])} before, "
        f"and by chance for {whole(chance)}."
    )
