"""frozen_encoder: an encoder that was trained elsewhere, in place of the autoencoder; the run keeps a copy of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ...errors import SettingsError
from ...stores.remote import to_path
from ..pipeline.job import Job
from ..pipeline.settings import RunSettings
from ..pipeline.unit import Outcome, Unit
from .checkpoints import ModelRecord, save_model

if TYPE_CHECKING:
    from ...models.networks.resnet import ResNet
    from ...models.networks.vit import VisionTransformer


def check_encoder(job: Job[RunSettings]) -> None:
    """Raises SettingsError where the run's frozen encoder cannot be loaded, or takes other channels."""
    if not job.settings.encoder_file:
        return
    if not to_path(job.settings.encoder_file).exists():
        raise SettingsError(
            f"--encoder: there is no file {job.settings.encoder_file}. Give the path of an encoder's weights, *.safetensors.",
            code="E_ENCODER",
        )
    _loaded(job)


def keep_encoder(job: Job[RunSettings], unit: Unit) -> Outcome:
    """Write the frozen encoder as the run's model, so that the run can be resumed and searched without the user's file."""
    outcome = Outcome()
    with outcome.clock("read"):
        network, left_out = _loaded(job)
    with outcome.clock("write"):
        outcome.files += save_model(job, unit.step, network, partial(ModelRecord, history=()))
    outcome.facts.update(steps=0, left_out=len(left_out))
    return outcome


def _loaded(job: Job[RunSettings]) -> tuple[VisionTransformer | ResNet, list[str]]:
    from ...models.training.encoder_file import load_encoder

    network, left_out = load_encoder(to_path(job.settings.encoder_file))
    channels = next(iter(job.slides.values())).channels
    if channels != network.channels:
        raise SettingsError(
            f"--encoder {job.settings.encoder_file} takes images of {network.channels} channels, and these have {channels}. "
            "Leave it out: the run then trains an encoder of its own.",
            code="E_ENCODER",
        )
    return network, left_out
