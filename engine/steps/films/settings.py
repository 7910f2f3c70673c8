"""FilmSettings: the settings of every run on films: how they are prepared, and what of the list says who and what they are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from ...pipeline.option import READ, Option
from ...pipeline.settings import RunSettings

ANY_MODALITY = "all"
RADIOGRAPHS = "radiographs"


class FilmSettings(RunSettings):
    """Settings of every run on films. Lengths are pixels of the prepared films."""

    side: Annotated[int, Option(READ, ("convert",))] = Field(
        100,
        ge=16,
        le=1024,
        description="Pixels along the longer side that films are reduced to; the shorter side is padded with the film's "
        "minimum.",
    )
    modality: Annotated[str, Option(READ, ("sample",), "radiographs, and files that state none", "NAME,NAME")] = Field(
        RADIOGRAPHS,
        description="DICOM modalities of the films that are used, such as CR,DX; all for any. Other files are left out.",
    )
    label: Annotated[str, Option(READ, ("sample",), metavar="COLUMN")] = Field(
        "label", description="Column of the list that names the class of an image."
    )
    normal_if: Annotated[str, Option(READ, ("sample",), "none; the column of labels counts", "RULE")] = Field(
        "",
        description="Label from two columns of a report, such as 'finding=none|clear,verdict=normal': a film is normal if "
        "both columns hold one of their values, abnormal if neither does, and left out otherwise.",
    )

    @field_validator("modality")
    @classmethod
    def _modalities(cls, value: str) -> str:
        names = [name.strip().upper() for name in value.split(",") if name.strip()]
        if not names:
            raise ValueError("modality: give names such as CR,DX, or radiographs, or all")
        return ",".join(name.lower() if name.lower() in (ANY_MODALITY, RADIOGRAPHS) else name for name in names)

    @field_validator("normal_if")
    @classmethod
    def _rule(cls, value: str) -> str:
        if value:
            parse_rule(value)
        return value

    @property
    def map_bytes(self) -> int:
        """Bytes of maps that a run leaves for each pixel of a film."""
        return 0

    @property
    def class_column(self) -> str:
        return self.label

    @property
    def needs_labels(self) -> bool:
        """Whether films that have no label by `normal_if` are left out, and a list without its columns is refused."""
        return True

    @property
    def rule(self) -> dict[str, tuple[str, ...]]:
        """Column -> the values that say that a film is normal; empty where the column of labels counts."""
        return parse_rule(self.normal_if) if self.normal_if else {}


def parse_rule(text: str) -> dict[str, tuple[str, ...]]:
    """Two columns and their values from 'column=value|value,column=value'. Raises ValueError for any other text.

    >>> parse_rule("finding=none|clear, verdict=normal")
    {'finding': ('none', 'clear'), 'verdict': ('normal',)}
    """
    rule: dict[str, tuple[str, ...]] = {}
    for part in text.split(","):
        column, _, values = part.partition("=")
        names = tuple(value.strip() for value in values.split("|") if value.strip())
        if column.strip() and names:
            rule[column.strip()] = names
    if len(rule) != 2 or len(rule) != len(text.split(",")):
        raise ValueError(f"{text!r} is no rule of two columns, such as 'finding=none|clear,verdict=normal'")
    return rule
