"""convert: writes slides or volumes as OME-Zarr; tiles that cannot be decoded are masked and counted."""

from __future__ import annotations

from ...pipeline.modality import Modality
from ...pipeline.outputs import GROUPS, label, levels
from ...pipeline.step import Step, per_image


def steps(modality: Modality) -> tuple[Step, ...]:
    """The steps of the stage `convert`, for every run on images of this modality."""
    from .geometry import OVERVIEW, PIXELS, PYRAMID, convert_bytes
    from .overview import overview_units, write_overview
    from .pixels import pixel_units, write_pixels
    from .pyramid import write_pyramid

    pixels = Step(
        PIXELS, "convert", write_pixels, pixel_units, settings=("codec",), outputs=(levels(),), reads="source"
    )
    pyramid = Step(
        PYRAMID,
        "pyramid and tissue",
        write_pyramid,
        per_image,
        settings=("max_bad_tiles", "label_grid") if modality.planar else ("label_grid",),
        outputs=(levels(), label("tissue"), GROUPS),
        follows=convert_bytes,
    )
    if not modality.planar:
        return pixels, pyramid
    overview = Step(
        OVERVIEW,
        "overview",
        write_overview,
        overview_units,
        settings=("pixels", "codec", "label_grid"),
        outputs=(levels(), label("tissue"), GROUPS),
        reads="source",
    )
    return overview, pixels, pyramid
