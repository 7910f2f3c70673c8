"""plain_names: the name of a slide's own file, for exports that programs find by it; its id where others have the name, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ...stores.inside import is_id
from ...stores.slides.input_kind import SLIDE_INPUT
from ..pipeline.record import ImageRecord


def plain_names(slides: Mapping[str, ImageRecord]) -> dict[str, str]:
    """Id -> the name of the slide's file without suffixes, such as TRIDENT and CLAM list slides by.

    `slides`: those that a step rejected, too, as their files lie beside the others. The id stays where another slide has the
    name too, whatever the case of its letters, where the file holds several images, and where the name has characters that a
    file of ours never has."""
    names = {one: SLIDE_INPUT.stem(r.name.removesuffix(f"/{r.subimage}")) for one, r in slides.items()}
    owners = Counter(name.lower() for name in (*names.values(), *slides))
    alone = {
        one: name
        for one, name in names.items()
        if not slides[one].subimage and is_id(name) and owners[name.lower()] == 1
    }
    return {one: alone.get(one, one) for one in slides}
