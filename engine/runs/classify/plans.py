"""plans: how each network is trained: steps by the number of films, batches, views, and when to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .settings import SOURCE, ClassifySettings

if TYPE_CHECKING:
    from ....models.networks.film_network import FilmNetwork
    from ....models.training.film_training import FilmPlan

ARCHITECTURES = {"film_resnet": "film_resnet", SOURCE: "mnist_cnn", "vgg16": "vgg16"}
"""Setting `network` -> name of the network."""
LEAST_STAGE_STEPS, STAGE_PASSES, MOST_STAGE_STEPS = 60, 5, 2000
"""Steps of one stage of a transfer at effort 1: at least and at most, and passes over the films between."""
BATCH, SMALL_BATCH = 32, 16
"""Films of a batch in a stage; of few films, the smaller one."""
CHECKS, STAGE_CHECKS = 10, 8
"""Looks at the validation films in a training, and in a stage."""
SOURCE_EPOCHS, SOURCE_BATCH = 50, 128


def network_of(settings: ClassifySettings, classes: int, *words: object) -> FilmNetwork:
    """The network of the settings with new weights, drawn by the seed and words."""
    from ....models.networks.film_networks import film_network
    from ....models.seeds import generator

    source = generator(settings.seed, *words, settings.network)
    return film_network(ARCHITECTURES[settings.network], classes, settings.side, source=source)


def scratch_plan(settings: ClassifySettings, films: int) -> FilmPlan:
    """The plan of a training from drawn weights on so many films.

    That of the source keeps its 50 epochs of 128 films without views, smoothing, decay and early stopping.
    """
    from ....models.training.budget import film_budget
    from ....models.training.film_training import FilmPlan
    from ....models.views.films import UNCHANGED

    if settings.network == SOURCE:
        steps = max(2, round(settings.effort * SOURCE_EPOCHS * -(-films // SOURCE_BATCH)))
        check = max(1, steps // CHECKS)
        return FilmPlan(steps, SOURCE_BATCH, check, patience=0, decay=0.0, smoothing=0.0, views=UNCHANGED)
    budget = film_budget(films, settings.effort)
    return FilmPlan(budget.steps, budget.batch, max(1, budget.steps // CHECKS), patience=5)


def stage_plan(settings: ClassifySettings, films: int) -> FilmPlan:
    """The plan of one stage of a transfer."""
    from ....models.training.film_training import FilmPlan

    batch = SMALL_BATCH if films < SMALL_BATCH * SMALL_BATCH else BATCH
    steps = min(MOST_STAGE_STEPS, max(LEAST_STAGE_STEPS, STAGE_PASSES * films // batch))
    steps = max(2, round(settings.effort * steps))
    return FilmPlan(steps, batch, max(1, steps // STAGE_CHECKS), patience=3)
