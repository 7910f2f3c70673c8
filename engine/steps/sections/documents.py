"""documents: what the registration of one pair of sections found."""

from __future__ import annotations

from ...pipeline.documents import Document, JsonNumber, Part


class StageRecord(Part):
    """One stage of a registration, and what the check on evidence that it had not seen said of it."""

    name: str
    accepted: bool
    score_before: JsonNumber
    score_after: JsonNumber
    """Similarity on what was held out, larger is better; None where nothing could be measured."""
    why: str


class PairRecord(Document):
    """pairs/BLOCK/STAIN.json: how a section lies over the reference of its block."""

    block: str
    reference: str
    """Stain of the reference."""
    stain: str
    accepted: bool
    """Whether the map can be used; the section of a pair that was rejected is background in the stack."""
    why: str
    """Why the pair was rejected; empty where it was not."""
    moved: bool
    """Whether any stage was accepted; else the section is read as it lies."""
    channel: str
    """What the two pictures were compared by."""
    rotation: JsonNumber
    """Degrees by which the section was turned, counter-clockwise as displayed."""
    flip: bool
    folding: JsonNumber
    """Share of the field's cells that fold."""
    spacing: JsonNumber
    """Micrometres a pixel of the pictures that were registered."""
    stages: tuple[StageRecord, ...]
    notes: tuple[str, ...]


def pair_name(image: str, section: str) -> str:
    """Name of the document of a pair."""
    return f"pairs/{image}/{section}"
