"""Fingerprints: what decides the results of each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...stores.remote import place
from ...stores.slides.cohort import fingerprint
from ...version import VERSION
from ..steps.settings import Common
from .record import SlideRecord, digest
from .spec import Kind

COHORT = frozenset({"draw", "number", "lineup", "networks"})
"""Steps that look at all images together: what they leave depends on which there are."""
TOLD: Mapping[str, Callable[[SlideRecord, Any], Any]] = {
    "prepare": lambda s, asked: s.extra.get("mask", "") if asked.mask == "given" else "",
    "networks": lambda s, asked: [s.group, s.site, s.extra.get(asked.label, ""), s.extra.get("split", "")],
    "judge": lambda s, _: s.told,
    "table": lambda s, _: s.told,
}
"""Step -> what of that which the user said of an image decides what it leaves, beside its pixels."""


def fingerprints(
    kind: Kind, settings: Common, spacing: float, slides: Iterable[SlideRecord], rejected: Mapping[str, str]
) -> dict[str, str]:
    """Step -> what decides its results: the settings it reads and everything before it.

    The steps of `convert` look at one slide each, so adding a slide leaves them as they are. Samples come from all slides
    that were not rejected until then (`rejected`: slide -> step that found it out), numbers from all that were applied.
    """
    out: dict[str, str] = {}
    before = digest("convert", spacing if kind.images == "slides" else 0.0, VERSION)  # volumes keep their own
    cohort = list(slides)
    for name, step in kind.steps.items():
        if name in COHORT:
            here = [s for s in cohort if not rejects_before(kind, rejected.get(s.id), name)]
            before = digest(before, [(s.key, s.group) for s in here])
        if name in TOLD:
            before = digest(before, [(s.id, TOLD[name](s, settings)) for s in cohort])
        if name == "prepare":
            before = digest(before, [_content(p) for p in (settings.deciding(("mask", "template"))).values()])
        before = digest(name, before, settings.deciding(step.fields))
        out[name] = before
    return out


def _content(path: str) -> str:
    """What tells a file that a setting names from a changed one."""
    return fingerprint(place(path)) if path not in ("", "head", "given", "none") else ""


def rejects_before(kind: Kind, found: str | None, step: str) -> bool:
    """Whether a slide that was rejected by the step `found` is missing when `step` begins."""
    order = ["open", *kind.steps]
    return found is not None and order.index(found) < order.index(step)
