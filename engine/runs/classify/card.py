"""card: the model card of the final network: what it was trained on, how it was judged, what it is for, and what it is not."""

from __future__ import annotations

from ....stores.array import written
from ....stores.files import write_whole
from ...pipeline.documents import read_document, read_run
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import read_record
from .cautions import cautions_of
from .documents import EVALUATION, ClassifierRecord, Evaluation, Folds
from .folds import folds_of
from .page_tables import TITLES, text_of
from .settings import ClassifySettings
from .trained import FINAL

CARD = "models/card.md"


def write_card(job: Job[ClassifySettings], unit: Unit) -> Outcome:
    """Write models/card.md."""
    outcome = Outcome()
    path = job.folder.out / CARD
    with outcome.clock("write"):
        write_whole(path, "\n".join(card_lines(job)).encode())
        outcome.files.append(written(path))
    return outcome


def card_lines(job: Job[ClassifySettings]) -> list[str]:
    folds, document = folds_of(job.folder), read_document(job.folder, EVALUATION, Evaluation)
    record, run = read_record(job, FINAL, ClassifierRecord), read_run(job.folder)
    own = folds.networks[FINAL]
    threshold = (
        f", named from a probability of {record.last.threshold:.3f} on" if record.last.threshold is not None else ""
    )
    lines = [
        f"# Model card: {' against '.join(folds.classes)}",
        "",
        f"File: `models/{FINAL}.safetensors`, sha256 `{record.sha256}`, made by tile-engine {run.tile_engine}.",
        "",
        "## Network",
        "",
        f"- {record.recipe['architecture']} for films of {record.recipe['side']} pixels a side.",
        f"- Classes {', '.join(folds.classes)}{threshold}.",
        f"- Calibration, threshold and early stopping by {record.validation:,} validation films.",
        f"- {_start(folds, job.settings)}",
        "",
        "## Films",
        "",
        f"- Trained on {_counts(own.train)}; validation {_counts(own.validation)}; {folds.subjects:,} subjects in all.",
        *(f"- Site {site}: {_counts(counts)}." for site, counts in folds.sites.items()),
        "",
        "## How it was judged",
        "",
        _division(folds),
        f"Judged films: {_counts(document.films)}, of {document.subjects:,} subjects.",
        "",
        "| figure | value, 95 % interval |",
        "|---|---|",
        *(f"| {TITLES[name]} | {text_of(figure)} |" for name, figure in document.network.items()),
        f"| accuracy of the most frequent label, always | {document.majority or 0:.3f} |",
        "",
        "## Use",
        "",
        "For research: to sort films like those above for a second look. It is no medical device and was not tested as one.",
        "",
        "## Limits",
        "",
        "- Films of other sites, devices, ages or views than those above: figures do not hold there; judge it on some first.",
        "- Labels are those of the list; the network repeats their errors.",
        *(f"- {caution.headline.rstrip('.')}. {caution.text}".rstrip() for caution in cautions_of(document)),
        "",
    ]
    return lines


def _division(folds: Folds) -> str:
    if folds.stated:
        return "By the column `split` of the list; this network itself was judged on its test side."
    return (
        f"By other networks of the same training, in folds by subject ({folds.repeats} times): each film by a network that did "
        "not see its subject. This network was trained on all films but the validation part, and was itself judged on none."
    )


def _start(folds: Folds, settings: ClassifySettings) -> str:
    if folds.pretraining:
        return f"Started from a training on another task: {_counts(folds.pretraining)}."
    return "Started from a user's file of weights." if settings.weights else "Started from drawn weights."


def _counts(films: dict[str, int]) -> str:
    return ", ".join(f"{label or 'no label'} {count:,}" for label, count in films.items()) or "none"
