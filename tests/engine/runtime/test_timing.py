"""The time of several runs, one after the other, is told as a whole, and counted to the time that is left."""

from __future__ import annotations

from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runtime.timing import Forecast, tell_all, with_later

HE = Forecast({"train networks": 200.0, "report": 40.0}, ("register sections",))
PAS = Forecast({"train networks": 360.0})


def test_runs_of_several_stains_are_summed_and_unknown_steps_named_once() -> None:
    told: list[Event] = []
    tell_all({"HE": HE, "PAS": PAS, "IHC": HE}, told.append)
    (event,) = told
    assert event.text == (
        "time of all runs together: about 14 min (HE 4 min, PAS 6 min, IHC 4 min), without: register sections"
    )
    assert event.facts["seconds"] == 840 and event.facts["runs"] == {"HE": 240, "PAS": 360, "IHC": 240}
    tell_all({"HE": Forecast(), "PAS": Forecast()}, told.append)
    assert len(told) == 1


def test_runs_that_come_later_count_to_the_time_that_is_left() -> None:
    told: list[Event] = []
    report = with_later(told.append, [HE, PAS])
    report(Event("progress", "convert", done=1, total=2, facts={"left": 10.0, "without": []}))
    report(Event("note", "hello"))
    assert told[0].facts == {"left": 610.0, "without": ["register sections"]} and told[1] == Event("note", "hello")
