"""Evidence maps: those of captum's Grad-CAM where one mean is read, and in register with the image they are laid onto."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from scipy.ndimage import center_of_mass

from tile_engine.models.explanation.checks import (
    deletion_curve,
    random_order,
    randomised,
    randomised_likeness,
    rank_correlation,
)
from tile_engine.models.explanation.gradcam import evidence_maps, spread
from tile_engine.models.networks.classifier import Classifier


def bright_corner(axes: int = 3) -> torch.Tensor:
    image = torch.full((1, 1, *(32,) * axes), 0.2)
    image[(slice(None), slice(None), *(slice(20, 28),) * axes)] = 1.0
    return image


@pytest.mark.parametrize("axes", [2, 3])
def test_one_mean_a_map_gives_captums_grad_cam(axes: int) -> None:
    network = Classifier(3, axes=axes, widths=(4, 6)).eval()
    images = torch.rand(2, 1, *(24,) * axes)
    ours, logits = evidence_maps(network, images, [2, 1])
    peer = LayerGradCam(network, network.blocks).attribute(images, torch.tensor([2, 1]), relu_attributions=True)
    assert np.allclose(ours, peer[:, 0].detach().numpy(), atol=1e-6) and ours.max() > 0
    assert np.allclose(logits, network(images).detach().numpy(), atol=1e-5)


def test_evidence_adds_up_to_the_logit() -> None:
    """Without the ReLU, and with all of the image inside; here every weight and map is positive."""
    network = Classifier(2, widths=(4, 4), pool=2).eval()
    network.head.weight.data.abs_()
    evidence, logits = evidence_maps(network, torch.rand(1, 1, 16, 16, 16), [1])
    assert evidence.sum() == pytest.approx(logits[0, 1] - float(network.head.bias[1].detach()), rel=1e-4)


def test_nothing_outside_has_evidence() -> None:
    network = Classifier(2, axes=2, widths=(4, 4), masked=True).eval()
    images = bright_corner(2)
    images[..., :16] = 0
    assert not evidence_maps(network, images)[0][..., :4].any()


@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (3.0, -5.0, 2.0)])
def test_evidence_is_laid_half_cells_exactly(offset: tuple[float, ...]) -> None:
    """A ramp of the voxels' own positions, averaged over cells, comes back as the positions of the other grid's centres."""
    side, cells, spacing = 4, (8, 7, 6), 1.5
    for axis in range(3):
        ramp = np.broadcast_to(
            np.moveaxis((np.arange(cells[axis]) + 0.5)[:, None, None] * side, 0, axis), cells
        ).astype(np.float32)
        matrix = np.diag([spacing] * 3 + [1.0])
        matrix[:3, 3] = offset
        shape = [int(n * side / spacing) - 8 for n in cells]
        laid = spread(ramp, side, matrix, shape)
        expected = (np.arange(shape[axis]) + 0.5) * spacing + offset[axis]
        inner = (expected > side / 2) & (expected < (cells[axis] - 0.5) * side)
        profile = np.moveaxis(laid, axis, 0)[:, shape[axis - 2] // 2, shape[axis - 1] // 2]
        assert inner.sum() > 4 and np.allclose(profile[inner], expected[inner], atol=1e-4)


def test_evidence_beyond_the_networks_input_is_none() -> None:
    matrix = np.eye(3)
    matrix[:2, 2] = 100
    assert not spread(np.ones((4, 4), np.float32), 4, matrix, (8, 8)).any()


def test_a_peak_stays_where_it_is() -> None:
    evidence = np.zeros((6, 6), np.float32)
    evidence[4, 1] = 1
    laid = spread(evidence, 8, np.eye(3), (48, 48))
    assert center_of_mass(laid) == pytest.approx((35.5, 11.5), abs=0.01)


def test_a_map_of_random_weights_is_another_and_the_network_is_kept() -> None:
    network = Classifier(2, widths=(4, 8), pool=2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    likeness = randomised_likeness(network, torch.rand(1, 32, 32, 32) + 0.1)
    assert set(likeness) == {"last_layer", "all_layers"} and all(abs(value) < 0.99 for value in likeness.values())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not torch.equal(randomised(network, "last_layer").head.weight, network.head.weight)
    assert torch.equal(randomised(network, "last_layer").blocks[0][0].weight, network.blocks[0][0].weight)


def test_rank_correlation_is_that_of_ranks() -> None:
    values, inside = np.random.default_rng(0).random((5, 5)), np.ones((5, 5), bool)
    assert rank_correlation(values, np.exp(values), inside) == pytest.approx(1)
    assert np.isnan(rank_correlation(values, np.ones((5, 5)), inside))


def test_deleting_what_decides_lowers_the_probability_first() -> None:
    network = Classifier(2, axes=2, widths=(4, 4)).eval()
    image = bright_corner(2)[0]
    evidence, logits = evidence_maps(network, image[None])
    target = int(logits[0].argmax())
    order = spread(evidence[0], 4, np.eye(3), (32, 32))
    curve = deletion_curve(network, image, order, target, shares=(0.0, 0.5, 1.0))
    alone = torch.zeros_like(image)[None]
    assert curve[0] == pytest.approx(float(network(image[None]).softmax(1)[0, target].detach()), rel=1e-5)
    assert curve[2] == pytest.approx(float(network(alone).softmax(1)[0, target].detach()), rel=1e-5)


def test_random_blocks_keep_the_outside() -> None:
    inside = np.zeros((20, 12), bool)
    inside[3:15, 2:9] = True
    order = random_order(inside, 4)
    assert (order[~inside] == -1).all() and (order[inside] >= 0).all() and len(np.unique(order[inside])) <= 5 * 3
