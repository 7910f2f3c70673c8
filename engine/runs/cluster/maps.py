"""maps: per image, the map, the density of each cluster, and the polygons for QuPath, drawn from stored layers alone."""

from __future__ import annotations

from functools import partial

from ....stores.array import written
from ....stores.cells import LabelCells
from ....stores.frame import Array
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.cluster_map import cluster_map
from ...show.density_map import density_map
from ...show.figure import drawn_together
from ...show.geojson import ClusterClass, features, write_geojson
from ...show.palette import chosen_colours
from ...show.picture import Cells
from ...show.stain_panels import draw_stains
from ...steps.slide_picture import picture_of, pixel_of, place_in_viewers
from ...steps.volumes.planes import planes_of
from .settings import ClusterSettings
from .shown import ShownClusters, shown_clusters

LONGEST = 1600
"""Pixels along the slide in a map, at most where the stored pyramid has such a level."""


def draw_maps(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Draw the map, the density map and, for a slide, the polygons of one image."""
    outcome = Outcome()
    slide, folder, record = unit.slide, job.folder, job.slides[unit.slide]
    flat = job.modality.planar
    with outcome.clock("read"):
        stored = LabelCells.open(folder.label(slide, "clusters"))
        labels = stored.read_all()
        if flat:
            picture, cells = picture_of(job, slide, longest=LONGEST), Cells(labels, stored.frame.spacing[0])
        else:
            picture, cells = planes_of(job, slide, labels, stored.frame)
    shown = shown_clusters(job)
    legend = shown.legend_of(shown.slides[slide])
    head = job.modality.noun.capitalize()
    with outcome.clock("compute"), chosen_colours(shown.colour_of):
        place, density = folder.map(slide), folder.map(slide, "density")
        paths = drawn_together(
            [
                partial(cluster_map, place, picture, cells, legend=legend, title=record.name, heading=head),
                partial(density_map, density, picture, cells, legend=legend, title=record.name),
            ]
        )
        if record.stains:
            panels = [(stain, _panel(job, slide, stain)) for stain in record.stains]
            paths.append(
                draw_stains(folder.map(slide, "stains"), picture, cells, panels, legend=legend, title=record.name)
            )
        if flat:
            paths.append(write_geojson(folder.out / "maps" / f"{slide}.geojson", polygons(job, slide, labels, shown)))
    outcome.files += [written(path) for path in paths]
    return outcome


def _panel(job: Job[ClusterSettings], block: str, stain: str) -> Array | None:
    """The picture of a block in a stain; None where it has none."""
    if job.slides[block].section(stain) is None:
        return None
    return picture_of(job, block, longest=LONGEST, stain=stain).rgb


def polygons(job: Job[ClusterSettings], slide: str, labels: Array, shown: ShownClusters) -> dict[str, object]:
    """The clusters of a slide as QuPath annotations, in pixels of the slide's level 0, counted from where QuPath counts."""
    record, step = job.slides[slide], job.settings.step
    classes = {
        i: ClusterClass(name, shown.colour_of[i], {"share of tissue tiles": share})
        for i, name, share in shown.legend_of(shown.slides[slide])
    }
    cell = tuple(step * s for s in record.native_scale)
    place = place_in_viewers(record)
    return dict(features(labels, (cell[0], cell[1]), **place, classes=classes, pixel_um=pixel_of(record)))
