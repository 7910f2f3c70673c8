"""transfer: a classifier that starts from another task's weights, and is unfrozen block by block from the head on.

```text
FC     head at 1e-3, blocks frozen                  (a linear probe, where the head is one layer)
+B5    head and B5, B5 at 1e-4
+B4    head, B5 and B4, B4 at 0.3e-4
...    a block at 1e-4 * 0.3 ** (blocks between it and the head)
+B1    the whole network
```
A stage begins with the weights that the one before left, and with a new optimiser. Fine-tuning from a fitted head keeps
features that a new head's first gradients would distort (Kumar et al., ICLR 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ...errors import SettingsError
from ..networks.film_network import FilmNetwork
from ..replica import SINGLE, Replica
from ..seeds import generator, initialise
from .film_training import FilmPlan, FilmTraining, LabelledFilms
from .phases import train_phase

HEAD_RATE = 1e-3
BLOCK_RATE = 1e-4
DEPTH_FACTOR = 0.3
"""Learning rate of a block relative to the next one towards the head."""
SCRATCH_RATE = 2e-3
"""Learning rate of all parts of a network that starts from drawn weights and has norms."""
SCRATCH_RATE_WITHOUT_NORMS = 3e-4


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a transfer: what is trained, and how fast."""

    name: str
    """FC, or + and the block that it unfreezes."""
    rates: Mapping[str, float]
    """"head" and names of blocks -> learning rate."""


def transfer_stages(network: FilmNetwork) -> list[Stage]:
    """FC, then one stage for each block, from the one beside the head to the one beside the films.

    >>> from ..networks.mnist_cnn import MnistCNN
    >>> [stage.name for stage in transfer_stages(MnistCNN(side=20))]
    ['FC', '+B2', '+B1']
    """
    rates = {"head": HEAD_RATE}
    stages = [Stage("FC", dict(rates))]
    for depth, block in enumerate(reversed(list(network.blocks()))):
        rates[block] = BLOCK_RATE * DEPTH_FACTOR**depth
        stages.append(Stage(f"+{block}", dict(rates)))
    return stages


def scratch_rates(network: FilmNetwork) -> dict[str, float]:
    """Learning rates of all parts of a network with drawn weights."""
    normed = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    rate = SCRATCH_RATE if normed else SCRATCH_RATE_WITHOUT_NORMS
    return dict.fromkeys(["head", *network.blocks()], rate)


def renew_head(network: FilmNetwork, *, seed: int = 0) -> FilmNetwork:
    """Draw the head's weights anew, for a new task; the blocks keep theirs."""
    initialise(network.head, generator(seed, "transfer", "head"))
    return network


def start_from(network: FilmNetwork, weights: Mapping[str, Tensor]) -> None:
    """Load the blocks of another task's network of the same architecture; its head is not read.

    Raises SettingsError that names the keys and shapes that do not match.
    """
    own = {key: tensor for key, tensor in network.state_dict().items() if not key.startswith("head.")}
    other = {key: tensor for key, tensor in weights.items() if not key.startswith("head.")}
    wrong = sorted(own.keys() ^ other.keys()) + sorted(
        k for k in own.keys() & other.keys() if own[k].shape != other[k].shape
    )
    if wrong:
        raise SettingsError(
            f"the weights to start from are of another network than {network.recipe['architecture']}: {', '.join(wrong[:5])}"
            f"{' ...' if len(wrong) > 5 else ''} differ. Pretrain the same network."
        )
    network.load_state_dict(other, strict=False)


def stage_phase(
    network: FilmNetwork,
    stage: Stage,
    training: LabelledFilms,
    validation: LabelledFilms,
    plan: FilmPlan,
    *,
    seed: int = 0,
    replica: Replica = SINGLE,
) -> FilmTraining:
    """The phase of a stage; `network` has the weights that the stage before left (`finish()`)."""
    return FilmTraining(
        network, training, validation, plan, rates=stage.rates, seed=seed, name=f"stage {stage.name}", replica=replica
    )


def transfer(
    network: FilmNetwork,
    training: LabelledFilms,
    validation: LabelledFilms,
    plan: FilmPlan,
    *,
    stages: Sequence[Stage] = (),
    seed: int = 0,
    after: Callable[[Stage, FilmNetwork], None] | None = None,
) -> FilmNetwork:
    """Renew the head, do all stages, and return the network in evaluation mode; `after(stage, network)` judges each of them.

    `stages`: those of `transfer_stages` by default. Each has `plan.steps` steps at most.
    """
    renew_head(network, seed=seed)
    for stage in stages or transfer_stages(network):
        phase = stage_phase(network, stage, training, validation, plan, seed=seed)
        train_phase(phase)
        phase.finish()
        if after is not None:
            after(stage, network)
    return network.requires_grad_(True).eval()
