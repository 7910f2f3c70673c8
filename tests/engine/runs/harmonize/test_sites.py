"""Sites of a harmonization: each source keeps its generator, whatever is rejected after the generators were fitted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.runs.harmonize.light import light_names, light_of
from tile_engine.engine.runs.harmonize.sites import sites_of
from tile_engine.errors import SettingsError


class SomeJob(SimpleNamespace):
    """What is read of a job; `opened` are the images in use when the generators were fitted, `slides` those of now."""

    def slides_before(self, step: str) -> dict[str, Any]:
        assert step == "generator"
        return dict(self.opened)


def job(folder: Any, *, sources: tuple[str, ...], rejected: tuple[str, ...]) -> Any:
    """Two images of each of the sites A, C and T, the target; `rejected` names sites that lost theirs."""
    images = {f"{site}{i}": SimpleNamespace(site=site, subject="", columns={}) for site in "ACT" for i in range(2)}
    used = {image: record for image, record in images.items() if record.site not in rejected}
    settings = SimpleNamespace(to="T", sources=sources, holdout=0, seed=0)
    return SomeJob(opened=images, slides=used, settings=settings, fingerprints={}, folder=folder)


@pytest.mark.parametrize("sources", [(), ("A", "C"), ("a", "c")])
def test_a_site_that_loses_all_its_images_leaves_the_others_their_generators(
    sources: tuple[str, ...], tmp_path: Any
) -> None:
    from tile_engine.stores.folder import Folder

    later = job(Folder(tmp_path, "volumes"), sources=sources, rejected=("A",))
    assert light_names(later) == {"light-1": "A", "light-2": "C"} and light_of(later, "C") == "light-2"
    assert sites_of(later).sources == ("C",) and sites_of(later).harmonized == ("C0", "C1")
    with pytest.raises(SettingsError, match="no site beside the target"):
        sites_of(job(Folder(tmp_path, "volumes"), sources=sources, rejected=("A", "C")))


def test_a_source_that_no_image_ever_had_is_refused(tmp_path: Any) -> None:
    with pytest.raises(SettingsError, match="there is no site 'B'"):
        sites_of(job(tmp_path, sources=("A", "B"), rejected=()))
