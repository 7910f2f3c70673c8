"""Classifier: any sides, fixed statistics when it is applied, and means of the inside alone."""

from __future__ import annotations

import pytest
import torch

from tile_engine.errors import SettingsError
from tile_engine.models.networks.classifier import Classifier, classifier_of, widths_for


@pytest.mark.parametrize("shape", [(20, 26, 17), (24, 33)])
def test_a_recipe_gives_the_network_again(shape: tuple[int, ...]) -> None:
    network = Classifier(3, channels=2, axes=len(shape), widths=(4, 6), pool=2, masked=True).eval()
    again = classifier_of(network.recipe).eval()
    again.load_state_dict(network.state_dict())
    images = torch.rand(2, 2, *shape)
    assert torch.equal(network(images), again(images)) and network(images).shape == (2, 3)


def test_the_class_of_an_image_does_not_depend_on_its_batch() -> None:
    network, images = Classifier(2, widths=(4, 4)).eval(), torch.rand(3, 1, 16, 16, 16)
    assert torch.allclose(network(images)[1], network(images[1:2])[0], atol=1e-6)


def test_means_of_a_masked_network_are_those_of_the_inside() -> None:
    network = Classifier(2, axes=2, widths=(3, 3), masked=True)
    images = torch.rand(1, 1, 32, 32) + 0.1
    images[..., 16:] = 0
    maps = torch.rand(1, 3, 8, 8)
    assert torch.allclose(network.means(maps, images), maps[..., :4].mean((2, 3)))


def test_means_on_a_grid_are_those_of_its_cells() -> None:
    network, maps = Classifier(2, axes=2, widths=(3, 3), pool=2), torch.rand(1, 3, 8, 8)
    quarters = torch.stack([maps[..., y : y + 4, x : x + 4].mean((2, 3)) for y in (0, 4) for x in (0, 4)], 2)
    assert torch.allclose(network.means(maps, torch.ones(1, 1, 32, 32)), quarters.flatten(1))


def test_blocks_leave_cells_enough() -> None:
    assert widths_for((8, 8, 8)) == (8, 16) and len(widths_for((512, 512, 512))) == 5


@pytest.mark.parametrize("wrong", [{"classes": 1}, {"classes": 2, "axes": 4}, {"classes": 2, "widths": ()}])
def test_sizes_of_no_network_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="cannot be made"):
        Classifier(**wrong)
