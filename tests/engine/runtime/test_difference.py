"""What differs between a command and the run in OUT is said in the words of its images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tile_engine.engine.images.modality import VOLUMES
from tile_engine.engine.pipeline.documents import read_run
from tile_engine.engine.runtime.difference import settings_diff, slides_diff
from tile_engine.engine.runtime.load import load


def test_volumes_are_called_volumes_and_their_spacing_is_in_millimetres(finished: Callable[[str, str], Any]) -> None:
    job = load(finished("cluster", "subjects").out)
    first, second, *_ = job.slides.values()
    changed = {first.id: replace(first, fingerprint="other"), "new": replace(second, id="new", name="new.nii")}
    noun = job.modality.noun
    lines = slides_diff({first.id: first, second.id: second}, changed, noun)
    assert lines == [f"volume added: {'new.nii'}", f"volume changed: {first.name}", f"volume removed: {second.name}"]
    run = read_run(job.folder)
    assert settings_diff(run, job.settings, 2 * run.spacing, VOLUMES.length)[-1] == "spacing of the run: 2 mm -> 4 mm"
