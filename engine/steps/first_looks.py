"""first_looks: what a reader of a report looks at first: rejected images, the page's cautions, what the run warned of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...stores.receipts import Ledger
from ..pipeline.image_documents import read_rejected
from ..pipeline.job import Job
from ..pipeline.listing import first_of
from ..pipeline.messages import rejection_messages
from ..pipeline.run_warnings import OPENING, RunWarning, read_warnings
from ..show.page import Caution

MAX_REASONS = 3
"""Reasons of rejections that are said at the head of a page; a section below has all."""
LONGEST_HEADLINE = 110
"""Characters of a warning's first clause that is its headline."""
REPORT_STEP, CAUTIONS = "report", "cautions"
"""The step that writes a report, and the fact of its receipt that keeps the page's own cautions, for a page that joins runs."""


def first_looks(job: Job[Any], own: Sequence[Caution]) -> tuple[Caution, ...]:
    """Rejected images, then the page's `own` cautions, then what the run warned of and no caution says already."""
    said = " ".join(map(_words, own))
    return (*_rejected(job), *own, *warned(job, said))


def kept_cautions(own: Sequence[Caution]) -> list[list[str]]:
    """A page's own cautions as the receipt of its step keeps them."""
    return [[one.headline, one.text] for one in own]


def cautions_in(job: Job[Any]) -> tuple[Caution, ...]:
    """The own cautions of a report that was written; none where there is no such report, or its receipt keeps none."""
    receipt = Ledger(job.folder.out, REPORT_STEP, job.ledger_key(REPORT_STEP)).find(REPORT_STEP)
    return tuple(Caution(*texts) for texts in receipt.facts.get(CAUTIONS, ())) if receipt else ()


def _rejected(job: Job[Any]) -> Iterator[Caution]:
    rejections = list(read_rejected(job.folder).values())
    if not rejections:
        return
    messages = rejection_messages(rejections)
    reasons = [f"{one.images}: {one.reason.rstrip('.')} [{one.code}]." for one in messages[:MAX_REASONS]]
    more = [f"{len(messages) - MAX_REASONS} more reasons stand below."] if len(messages) > MAX_REASONS else []
    yield Caution(f"{_share(job, len(rejections))} rejected.", " ".join((*reasons, *more)))


def _share(job: Job[Any], rejected: int) -> str:
    """How many of all images were rejected: "1 of 12 slides was". Of sections, whole blocks count beside single files."""
    verb = "was" if rejected == 1 else "were"
    if job.modality.input.name != job.modality.plural:
        return f"{rejected} {'file or block' if rejected == 1 else 'files or blocks'} {verb}"
    single = sum(1 for one in read_rejected(job.folder).values() if one.image)  # films of a batch, which it counts
    total = sum(record.images for record in job.slides.values()) + rejected - single
    return f"{rejected:,} of {total:,} {job.modality.plural} {verb}"


def warned(job: Job[Any], said: str = "") -> Iterator[Caution]:
    """What the run warned of, each once, by steps; texts of images that differ in numbers alone are one caution.

    A warning whose text stands in `said`, in lower case, is left out; so is one of the run that stands there as a caution.
    """
    order = {name: place for place, name in enumerate((OPENING, *job.pipeline.steps))}
    places = {record.name: place for place, record in enumerate(job.slides.values())}
    left = (_of_images(one, places) for one in read_warnings(job.folder))
    found = [one for one in left if one is not None and one.step in order and not _is_said(one, said)]
    found.sort(key=lambda one: (order[one.step], min((places[name] for name in one.images), default=-1), one.text))
    alike: dict[tuple[str, bool, str], list[RunWarning]] = {}
    for one in found:
        shape = re.sub(r"\d[\d.,]*", "#", one.text) if one.images else one.text
        alike.setdefault((one.step, bool(one.images), shape), []).append(one)
    total = sum(record.images for record in job.slides.values())
    for group in alike.values():
        names = list(dict.fromkeys(name for one in group for name in one.images))
        yield _caution([one.text for one in group], names, f"{total:,} {job.modality.plural}")


def _is_said(one: RunWarning, said: str) -> bool:
    return one.text.lower() in said or (not one.images and _words(noted(one.text)) in said)


def _words(one: Caution) -> str:
    return f"{one.headline} {one.text}".strip().lower()


def _of_images(one: RunWarning, places: dict[str, int]) -> RunWarning | None:
    """A warning of the images that are left of it; None where none is."""
    left = tuple(name for name in one.images if name in places)
    return one.model_copy(update={"images": left}) if left or not one.images else None


def _caution(texts: Sequence[str], names: Sequence[str], total: str) -> Caution:
    if not names:
        return noted(texts[0])
    headline, rest = clauses(texts[0])
    numbers = f", and the like with other numbers ({len(set(texts)) - 1} more)" if len(set(texts)) > 1 else ""
    head = f"{len(names):,} of {total}: {headline.rstrip('.')}{numbers}."
    which = f"{total.split(' ', 1)[1].capitalize()}: {first_of(names)}."
    return Caution(head, " ".join(filter(None, (rest, which))))


def noted(text: str) -> Caution:
    """A text as a caution of its own."""
    headline, rest = clauses(text)
    return Caution(f"{_begun(headline).rstrip('.')}.", rest)


def _begun(text: str) -> str:
    """A text as the begin of a sentence: a name stays as it is written.

    >>> _begun("no tissue was found"), _begun("list.csv: 1 row"), _begun("diag: 'a'"), _begun("sex_code is")
    ('No tissue was found', 'list.csv: 1 row', "diag: 'a'", 'sex_code is')
    """
    first = text.split(" ", 1)[0]
    is_name = first.endswith(":") or re.search(r"[\w-][./_\\\d]\w|[a-z][A-Z\d]", first)
    return text if is_name else f"{text[:1].upper()}{text[1:]}"


def clauses(text: str) -> tuple[str, str]:
    """The first clause of a warning, and the rest as a sentence.

    >>> clauses("no tissue was found: look at the slide, or give its mask")
    ('no tissue was found', 'Look at the slide, or give its mask.')
    >>> clauses("2 films, as a.dcm: is MONOCHROME1; it is inverted")
    ('2 films, as a.dcm: is MONOCHROME1', 'It is inverted.')
    """
    text = text.strip()
    first = re.match(r"(\d[^:]*|\S+\.\w+): ", text)  # "2 films, as a.dcm: ..." and "list.csv: ..." say nothing yet
    begin = first.end() if first else 0
    for mark in (": ", "; ", ". "):
        head, found, rest = text[begin:].partition(mark)
        if found and begin + len(head) <= LONGEST_HEADLINE:
            return text[:begin] + head, f"{_begun(rest)}{'' if rest.endswith('.') else '.'}"
    return text, ""
