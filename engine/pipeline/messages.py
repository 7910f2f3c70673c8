"""Messages about images: what holds for several images is one message that names them, however many they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from .listing import first_of
from .record import ImageRecord, Rejection


@dataclass(frozen=True, slots=True)
class ImagesMessage:
    """A text, and the images that it is about."""

    names: tuple[str, ...]
    reason: str
    code: str = ""
    """Reason code of a rejection; empty for a note."""

    @property
    def images(self) -> str:
        """The images, the first few by name."""
        return first_of(self.names)

    @property
    def text(self) -> str:
        """The images, and what is said of them."""
        return f"{self.images}: {self.reason}"


def reason_of(rejection: Rejection) -> str:
    """Why an image was rejected, without its name."""
    return rejection.message.removeprefix(f"{PurePosixPath(rejection.name).name}: ")


def rejection_messages(rejections: Iterable[Rejection]) -> list[ImagesMessage]:
    """Rejections by reason, in the order of their first images.

    >>> one, two = (Rejection(f"s/{n}.png", "E_NO_MPP", f"{n}.png: no spacing is stated.") for n in "ab")
    >>> [message.text for message in rejection_messages([one, two])]
    ['s/a.png, s/b.png: no spacing is stated.']
    """
    names: dict[tuple[str, str], list[str]] = {}
    for rejection in rejections:
        names.setdefault((reason_of(rejection), rejection.code), []).append(rejection.name)
    return [ImagesMessage(tuple(found), reason, code) for (reason, code), found in names.items()]


def note_messages(records: Iterable[ImageRecord]) -> list[ImagesMessage]:
    """Notes of accepted images, each once."""
    names: dict[str, list[str]] = {}
    for record in records:
        for note in record.notes:
            names.setdefault(note, []).append(record.name)
    return [ImagesMessage(tuple(found), note) for note, found in names.items()]
