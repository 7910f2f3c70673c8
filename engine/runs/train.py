"""train: autoencoder, codes of a few views, heads for every K and seed, and the chosen clusterer fine-tuned end to end.

Four steps of one unit each. A new K changes the last two only: the autoencoder and the codes stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...stores.array import ArraySpec, StoredArray, Written, written
from ...stores.files import write_durably, write_json
from ...stores.frame import Array
from ..job import Job, Unit
from ..progress import Beacon
from ..run import Outcome
from .sample import PER_SHARD

if TYPE_CHECKING:
    from ...models.cube_views import CubeViews
    from ...models.share import Share
    from ...models.views import Views
    from ..training import Aside

CODES_BATCH = 64


class _OneUnit:
    """A step whose work is one unit."""

    name = ""

    def units(self, job: Job) -> Iterator[Unit]:
        yield Unit(self.name, self.name)


class _Ganged(_OneUnit):
    """A step that one process does, or the ranks of a gang together (see `engine.job.Shared`)."""

    def ranks(self, job: Job) -> int:
        return int(job.settings.gang)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        from ...models.share import ALONE

        return self.take_part(job, unit, ALONE)

    def take_part(self, job: Job, unit: Unit, share: Share) -> Outcome:
        raise NotImplementedError


class TrainAutoencoder(_Ganged):
    """Learn to describe patches."""

    name = "autoencoder"
    fields = ("effort", "jitter", "threads", "gang", "device")

    def take_part(self, job: Job, unit: Unit, share: Share) -> Outcome:
        from ...models.autoencoder import Autoencoder
        from ...models.reconstruction import Reconstruction
        from ...models.seeds import generator
        from ..training import fit

        outcome = Outcome()
        with outcome.clock("read"):
            patches = all_patches(job)
        plan = budget_of(job, len(patches))
        with outcome.clock("compute"):
            source = generator(job.settings.seed, "autoencoder")
            axes = patches.ndim - 2
            network = Autoencoder(patches.shape[1], job.settings.patch, source=source, axes=axes).to(device_of(job))
            phase = Reconstruction(
                network,
                patches,
                plan.reconstruction,
                plan.batch,
                seed=job.settings.seed,
                views=views_of(job),
                share=share,
            )
            aside = aside_of(job, self.name)
            course = fit(phase, aside, threads=job.settings.threads, beacon=Beacon(job.folder.out), share=share)
        if share.rank > 0:
            return outcome
        with outcome.clock("write"):
            outcome.files += save_model(job, self.name, network, {"course": course})
            aside.path.unlink(missing_ok=True)
        outcome.facts["steps"] = plan.reconstruction
        outcome.facts["loss"] = course[-1]["loss"]
        return outcome


class Codes(_OneUnit):
    """What the frozen encoder makes of a few views of every patch; the heads of every K are trained on these."""

    name = "codes"
    fields = ()

    def execute(self, job: Job, unit: Unit) -> Outcome:
        import torch

        from ...models.codes import encode_views

        outcome = Outcome()
        with outcome.clock("read"):
            patches = all_patches(job)
            network = load_autoencoder(job).to(device_of(job))
        with outcome.clock("compute"):
            torch.set_num_threads(job.settings.threads)
            views = budget_of(job, len(patches)).views
            codes_VNF = encode_views(network, patches, views, job.settings.seed, CODES_BATCH, views_of(job)).numpy()
        with outcome.clock("write"):
            spec = codes_spec(codes_VNF.shape)
            array = StoredArray.create(job.folder.samples / "codes", spec)
            outcome.files += [array.write(box, codes_VNF[box.slices]) for box in spec.shards]
            outcome.files.append(written(array.path / "zarr.json"))
        outcome.facts["views"] = views
        return outcome


class Heads(_OneUnit):
    """Heads of every K in the range and every seed, together; the validity table; the K that it speaks for.

    They are small, and trained on the CPU whatever the network runs on.
    """

    name = "heads"
    fields = ("k", "objective", "seeds")

    def execute(self, job: Job, unit: Unit) -> Outcome:
        import torch

        from ...models.sweep import HeadSweep
        from ...models.validity import recommend, table
        from ..training import fit

        outcome = Outcome()
        settings = job.settings
        with outcome.clock("read"):
            codes_VNF = torch.from_numpy(StoredArray.open(job.folder.samples / "codes").read_all())
        low, high = settings.k
        most = min(high, max(low, codes_VNF.shape[1] // 3))
        seeds = [settings.seed + i for i in range(settings.seeds)]
        with outcome.clock("compute"):
            sweep = HeadSweep(
                codes_VNF,
                range(low, most + 1),
                seeds,
                settings.objective,
                budget_of(job, codes_VNF.shape[1]).heads,
                min(512, codes_VNF.shape[1]),
            )
            aside = aside_of(job, self.name)
            course = fit(sweep, aside, threads=settings.threads, beacon=Beacon(job.folder.out))
            qualities = sweep.qualities()
            rows = table(codes_VNF[0].numpy(), sweep.labels(), seed=settings.seed)
            sound = {(q.clusters, q.seed) for q in qualities if not q.collapsed}
            usable = [r for r in rows if (r.clusters, r.seed) in sound] or rows
            choice = recommend(usable)
            best = min(
                (q for q in qualities if q.clusters == choice.clusters),
                key=lambda q: (q.collapsed, q.loss),
            )
            head = sweep.extract(best.seed, best.clusters)
        with outcome.clock("write"):
            outcome.files += save_model(job, "head", head, {"course": course, "seed": best.seed})
            document = {
                "k": choice.clusters,
                "seed": best.seed,
                "range": [low, most],
                "objective": settings.objective,
                "agreement": choice.agreement if high > low else f"K was set to {choice.clusters}.",
                "best": choice.best,
                "mean_ranks": choice.mean_ranks,
                "standard_errors": choice.standard_errors,
                "indices": [asdict(r) for r in rows],
                "heads": [asdict(q) for q in qualities],
            }
            outcome.files.append(write_document(job, "models/validity.json", document))
            aside.path.unlink(missing_ok=True)
        outcome.facts["k"] = choice.clusters
        outcome.facts["collapsed_heads"] = sum(q.collapsed for q in qualities)
        return outcome


class Tune(_Ganged):
    """The chosen clusterer, trained end to end with the reconstruction kept."""

    name = "tune"
    fields = ("gang",)

    def take_part(self, job: Job, unit: Unit, share: Share) -> Outcome:
        import torch

        from ...models import checkpoint
        from ...models.clusterer import Clusterer
        from ...models.finetune import FineTune
        from ...models.heads import ClusterHead
        from ..training import fit

        outcome = Outcome()
        settings = job.settings
        with outcome.clock("read"):
            patches = all_patches(job)
            tensors, recipe = checkpoint.load(job.folder.model("head"))
            head = ClusterHead(**recipe)
            checkpoint.fill(head, tensors, job.folder.model("head"))
        with outcome.clock("compute"):
            clusterer = Clusterer(load_autoencoder(job), head).to(device_of(job))
            steps = budget_of(job, len(patches)).fine_tune
            phase = FineTune(clusterer, patches, steps, settings.objective, settings.seed, views_of(job), share)
            aside, beacon = aside_of(job, self.name), Beacon(job.folder.out)
            torch.set_num_threads(settings.threads)  # what is measured is part of the record, and threads of its digits
            if share.rank > 0:  # the guards are the first rank's business
                fit(phase, aside, threads=settings.threads, beacon=beacon, share=share)
                return outcome
            before = phase.outcome()
            course = fit(phase, aside, threads=settings.threads, beacon=beacon, share=share)
            after = phase.outcome()
            kept = "fine-tuned"
            if after.collapsed and not before.collapsed:  # what was sound before is worth more than what was lost
                kept = "as before fine-tuning, which collapsed"
                checkpoint.fill(head, tensors)
                clusterer, after = Clusterer(load_autoencoder(job), head), before
        with outcome.clock("write"):
            guards = {"kept": kept, "before": asdict(before), "after": asdict(after)}
            outcome.files += save_model(job, "clusterer", clusterer, {"course": course, "guards": guards})
            aside.path.unlink(missing_ok=True)
        outcome.facts.update(k=head.clusters, collapsed=after.collapsed, effective=round(after.effective, 3), kept=kept)
        return outcome


def all_patches(job: Job) -> Array:
    """Every sampled patch, (n, c, y, x), in memory: training draws them in any order, again and again."""
    return StoredArray.open(job.folder.samples / "patches").read_all()


def codes_spec(shape: tuple[int, ...]) -> ArraySpec:
    """Codes (view, n, feature), float32."""
    shard = (shape[0], min(shape[1], 8 * PER_SHARD), shape[2])
    return ArraySpec(shape, "float32", shard, shard, ("view", "n", "feature"))


def device_of(job: Job) -> Any:
    """This process's device, as a torch.device; one worker has one GPU. Raises MachineError where it has none."""
    from ..card import begin

    return begin(job.settings.device)


def views_of(job: Job) -> Views | CubeViews:
    """What views of patches differ in."""
    from ...models.cube_views import CubeViews
    from ...models.views import Views

    kind = Views if job.folder.images == "slides" else CubeViews
    return kind(strength=job.settings.jitter)


def budget_of(job: Job, patches: int) -> Any:
    from ...models.budget import budget

    return budget(patches, job.settings.effort)


def load_autoencoder(job: Job) -> Any:
    from ...models import checkpoint
    from ...models.autoencoder import Autoencoder

    tensors, recipe = checkpoint.load(job.folder.model("autoencoder"))
    network = Autoencoder(**recipe)
    checkpoint.fill(network, tensors, job.folder.model("autoencoder"))
    return network


def load_network(path: Path, sha256: str) -> Any:
    """The trained network, ready to be applied: a clusterer, or an autoencoder. Raises CorruptError where the file is not the
    one that was trained."""
    from ...models import checkpoint
    from ...models.autoencoder import Autoencoder
    from ...models.clusterer import Clusterer

    tensors, recipe = checkpoint.load(path, sha256)
    network = Clusterer.from_recipe(recipe) if "head" in recipe else Autoencoder(**recipe)
    checkpoint.fill(network, tensors, path)
    return network.eval()


def save_model(job: Job, name: str, network: Any, record: dict[str, Any]) -> list[Written]:
    """Weights, and beside them what rebuilds the network and how it was trained."""
    from ...models import checkpoint

    path = job.folder.model(name)
    recipe = network.recipe() if callable(network.recipe) else network.recipe
    tensors = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    sha256 = checkpoint.save(path, tensors, recipe, write_durably)
    document = {"sha256": sha256, "recipe": recipe, "threads": job.settings.threads, **record}
    return [written(path), write_document(job, f"models/{name}.json", document)]


def write_document(job: Job, name: str, document: dict[str, Any]) -> Written:
    path = job.folder.out / name
    write_json(path, _finite(document))
    return written(path)


def aside_of(job: Job, step: str, name: str = "") -> Aside:
    """Where the training of a model (of the step's own name, unless said) keeps its checkpoint."""
    from ..training import Aside

    return Aside(job.folder.out / "models" / f"{name or step}.training.safetensors", job.ledger_key(step))


def _finite(value: Any) -> Any:
    """JSON has no NaN: None stands for it. Numpy's numbers become Python's."""
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
