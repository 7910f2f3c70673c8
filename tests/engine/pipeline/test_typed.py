"""Settings stand in a report as a user typed them, and computed defaults say what they became."""

from __future__ import annotations

import pytest

from tile_engine.engine.images.modality import SLIDES, VOLUMES
from tile_engine.engine.pipeline.settings import settings_of
from tile_engine.engine.pipeline.typed import settings_shown, typed
from tile_engine.engine.runs.cluster.settings import ClusterSettings


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("effort", 0.4, "quick"),
        ("effort", 0.3, "0.3"),
        ("k", [2, 9], "2-9"),
        ("k", (5, 5), "5"),
        ("patch", (64, 128), "64,128"),
        ("modalities", ("A", "C"), "A,C"),
        ("classes", ((1, "fat", "", 0), (2, "fat", "", 1)), "2 rows"),
        ("classes", [[1, "fat", "", 0]], "1 row"),
        ("classes", (), "not given"),
    ],
)
def test_values_stand_as_they_are_typed(name: str, value: object, shown: str) -> None:
    assert typed(name, value) == shown


def test_defaults_say_what_they_became() -> None:
    settings = settings_of({"effort": "quick", "k": "2-9", "threads": 3}, ClusterSettings)
    shown = settings_shown(settings, {"stride": "64"})
    assert (shown["effort"], shown["k"], shown["threads"]) == ("quick", "2-9", "3")
    assert shown["stride"] == "64 (default: half a patch, of several the smallest)"
    assert shown["seed"] == "0 (default)" and shown["encoder"].startswith("(default: the autoencoder")
    assert settings_shown(settings_of({}, ClusterSettings), {})["effort"] == "normal (default)"


def test_lengths_have_the_unit_of_their_images() -> None:
    assert SLIDES.length(0.5) == "0.5 µm" and VOLUMES.length(2000.0) == "2 mm" and VOLUMES.length(937.5) == "0.9375 mm"
