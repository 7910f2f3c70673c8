"""What holds for many images is said once."""

from __future__ import annotations

from tile_engine.engine.pipeline.messages import rejection_messages
from tile_engine.engine.pipeline.record import Rejection
from tile_engine.errors import SlideError
from tile_engine.stores.slides.spacing import settle


def test_pictures_without_a_spacing_are_one_message_that_says_how_to_work_it_out() -> None:
    rejections = []
    for name in (f"{i}.png" for i in range(12)):
        try:
            settle(name, None, [])
        except SlideError as error:
            rejections.append(Rejection(f"photos/{name}", error.code, error.message))
    (message,) = rejection_messages([*rejections])
    assert message.code == "E_NO_MPP" and len(message.names) == 12
    assert message.text.startswith(
        "photos/0.png, photos/1.png, photos/2.png, photos/3.png, photos/4.png and 7 more: no spacing"
    )
    for words in ("scale bar", "divided by", "--mpp", "column `mpp`"):
        assert words in message.reason
    assert not any(sign.isdigit() for sign in message.reason)  # no value that reads as advice


def test_other_reasons_stay_apart() -> None:
    found = rejection_messages(
        [Rejection("a", "E_EMPTY", "a: no bytes"), Rejection("b", "E_EMPTY", "b: no bytes at all")]
    )
    assert [message.names for message in found] == [("a",), ("b",)]
