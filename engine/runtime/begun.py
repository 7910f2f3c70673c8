"""begun: what earlier commands have done of a run, in words, for the command that goes on and for its plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..pipeline.documents import RunDocument
from ..pipeline.listing import first_of
from ..pipeline.spec import Pipeline


def begun_text(
    pipeline: Pipeline, run: RunDocument, stages: Sequence[str], *, was_done: bool, stale: Collection[str] = ()
) -> str:
    """What an earlier command has done of these stages, and where the run goes on; empty where nothing is done.

    A run that `was_done` has not stopped: what is left of it is done again. `stale`: steps whose results do not hold any more.
    """
    steps = [step for stage in stages for step in pipeline.stages[stage]]
    kept = [step for step in steps if step.name not in stale]
    done = [step.title for step in kept if run.is_complete([step.name])]
    left = [step for step in steps if step not in kept or not run.is_complete([step.name])]
    if not left:
        return f"all {len(steps)} steps of these stages were done before: each is only checked" if done else ""
    amid = left[0] in kept and left[0].name in run.steps
    if not done and not amid:
        return ""
    if was_done:
        return f"done again: {first_of([step.title for step in left])}; the other steps are as before"
    before = f"{first_of(done)} {'are' if len(done) > 1 else 'is'} done already" if done else "the run had begun"
    return f"the run goes on where it stopped: {before}; {'within' if amid else 'next is'} {left[0].title}"
