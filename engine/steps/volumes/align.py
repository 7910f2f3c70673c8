"""align: registration of a volume to a template, rigid or affine, by mutual information. The result is deterministic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import SlideError
from ....stores.frame import Array, Frame
from ....stores.placement import STRAIGHT, Placement
from ...compute.resources import resources
from .grid import Pose

SHARE, BINS, LEVELS, STEPS = 0.2, 50, (4, 2, 1), 200
"""Share of voxels that the metric samples, bins of the joint histogram, shrink factors, optimizer steps at each."""
COARSE = 2000.0
"""Micrometres. Registration subsamples finer volumes, by a whole number of voxels, to this spacing at most."""


@dataclass(frozen=True, slots=True, eq=False)
class LaidVolume:
    """A volume, and where it lies in its scanner."""

    values: Array
    """(z, y, x)."""
    frame: Frame
    place: Placement = STRAIGHT


def pose_on(template: Path, values: Array, frame: Frame, kind: str, place: Placement = STRAIGHT) -> Pose:
    """Register `values` (z, y, x) to a template and return the pose; `kind` is rigid or affine.

    Both are laid into their scanners first, `values` by `place`: an oblique scan begins where it was scanned.
    Raises SlideError (E_ALIGN) where registration fails, for example where the two do not overlap.
    Method: Mattes et al., IEEE TMI 22(1):120 (2003), as SimpleITK implements it.
    """
    fixed, centre = resources().templates.get(template, lambda: _template(template))
    try:
        matrix = _registered(fixed, _image(values, frame, place), kind)
    except RuntimeError as error:
        raise _failure(error, template.name, "leave out --align") from error
    return Pose(matrix if place.straight else np.linalg.inv(place.matrix) @ matrix, centre)


def rigid_between(fixed: LaidVolume, moving: LaidVolume, name: str) -> Array:
    """The 4 x 4 matrix from `fixed`'s scanner to `moving`'s (micrometres, z first) of a rigid registration of the two.

    `name` is what messages call the fixed volume. Raises as `pose_on`.
    """
    template, image = (_image(volume.values, volume.frame, volume.place) for volume in (fixed, moving))
    try:
        return _registered(template, image, "rigid")
    except RuntimeError as error:
        raise _failure(error, name, "give the two scans different subjects in the list") from error


def _failure(error: RuntimeError, name: str, advice: str) -> SlideError:
    return SlideError(
        f"the volume cannot be aligned to {name}: {str(error).splitlines()[-1]}. Check that both show the same "
        f"part of the body, or {advice}.",
        "E_ALIGN",
    )


def _registered(fixed: Any, moving: Any, kind: str) -> Array:
    """The 4 x 4 matrix of the registration of two SimpleITK images, from the fixed one's scanner to the moving one's.

    Raises RuntimeError, as SimpleITK does, where it fails.
    """
    import SimpleITK as sitk  # noqa: N813 - the name that SimpleITK's documentation uses

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(
        1
    )  # with threads the order of sums, and so the result, would vary
    start: Any = sitk.Euler3DTransform() if kind == "rigid" else sitk.AffineTransform(3)
    start = sitk.CenteredTransformInitializer(fixed, moving, start, sitk.CenteredTransformInitializerFilter.MOMENTS)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(SHARE, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, STEPS, 0.5)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(LEVELS)
    method.SetSmoothingSigmasPerLevel([f / 2 for f in LEVELS])
    method.SetInitialTransform(start, inPlace=False)
    return _matrix(method.Execute(fixed, moving))


def _template(path: Path) -> tuple[Any, tuple[float, ...]]:
    """The template as a SimpleITK image, and the centre of its head mask's bounding box in its scanner's um (z, y, x)."""
    from ....models.masks.head_mask import head_mask
    from ....stores.volumes.reader import open_volume

    with open_volume(path) as volume:
        frame, place = volume.frames[0], volume.placement
        values = volume.read(frame.box)[0]
    mask = head_mask(values, frame.spacing)
    ends = [np.flatnonzero(mask.any(tuple(a for a in range(3) if a != axis)))[[0, -1]] for axis in range(3)]
    middle = tuple(
        float(o + (a + b + 1) / 2 * s) for o, (a, b), s in zip(frame.origin, ends, frame.spacing, strict=True)
    )
    return _image(values, frame, place), tuple(place.to_world(np.array(middle)).tolist())


def _image(values: Array, frame: Frame, place: Placement) -> Any:
    """A SimpleITK image in millimetres, x first; volumes finer than COARSE are subsampled by a whole number of voxels."""
    import SimpleITK as sitk  # noqa: N813

    step = [max(1, int(COARSE // s)) for s in frame.spacing]
    thin = np.ascontiguousarray(values[:: step[0], :: step[1], :: step[2]], np.float32)
    image = sitk.GetImageFromArray(thin)
    image.SetSpacing([s * n / 1000 for s, n in zip(frame.spacing[::-1], step[::-1], strict=True)])
    image.SetOrigin([(o + s / 2) / 1000 for o, s in zip(frame.origin[::-1], frame.spacing[::-1], strict=True)])
    if not place.straight:
        to_world = place.of_cells(frame)[::-1][[1, 2, 3]] / 1000  # rows x, y, z
        image.SetOrigin(to_world[:, 3].tolist())
        image.SetDirection((to_world[:, 2::-1] / np.linalg.norm(to_world[:, 2::-1], axis=0)).ravel().tolist())
    return image


def _matrix(transform: Any) -> Array:
    """The 4 x 4 matrix in micrometres, z first, of a SimpleITK transform in millimetres, x first."""
    corner = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.array(transform.TransformPoint(tuple(float(i == a) for i in range(3)))) - corner for a in range(3)]
    out = np.eye(4)
    out[:3, :3] = np.stack(columns, 1)[::-1, ::-1]
    out[:3, 3] = corner[::-1] * 1000
    return out
