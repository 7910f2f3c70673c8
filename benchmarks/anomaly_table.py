"""What is the source's choice of a variational autoencoder worth? Latent variables x likelihoods x scores, by AUROC.

The films, patients and seeds of `anomaly.py`: normal films to train on, pneumonia against the other normal ones. The dense
network is the published one, with other likelihoods and numbers of latent variables; the convolutional one is trained by Adam.

    python benchmarks/anomaly_table.py --seeds 0
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator

import torch
from anomaly import SIDE, TONES, WIDTHS, Films, load, split, trained_vae

from tile_engine.models.anomaly.evidence import Draws
from tile_engine.models.anomaly.regret import Search
from tile_engine.models.anomaly.scores import VAE_SCORES, score_films
from tile_engine.models.evaluation.ranking import auroc
from tile_engine.models.evaluation.tone import tones
from tile_engine.models.networks.vae import Vae
from tile_engine.models.seeds import generator
from tile_engine.models.training.variational import KUROTAKI2017, VariationalPlan

LATENTS = (2, 16, 64, 256)
SHOWN_LIKELIHOODS = ("bernoulli", "continuous_bernoulli", "gaussian", "logistic")


def networks(options: argparse.Namespace, films: int, seed: int) -> Iterator[tuple[str, Vae, VariationalPlan]]:
    """(name, network with new weights, plan) of every row."""
    source = KUROTAKI2017.of_epochs(films, options.epochs)
    ours = VariationalPlan(options.steps, batch=48)
    for latent in LATENTS:
        draw = generator(seed, "vae")
        yield (
            f"dense {latent:3} bernoulli",
            Vae(SIDE, latent=latent, likelihood="bernoulli", hidden=256, source=draw),
            source,
        )
    for likelihood in SHOWN_LIKELIHOODS:
        for latent in LATENTS:
            network = Vae(SIDE, latent=latent, likelihood=likelihood, widths=WIDTHS, source=generator(seed, "vae"))
            yield f"conv  {latent:3} {likelihood}", network, ours


def row_of(vae: Vae, test: Films, options: argparse.Namespace, seed: int) -> list[float]:
    """AUROC of each score."""
    draws = Draws(samples=16, seed=seed, batch=50)
    search = Search(steps=options.search)
    names = [name for name in VAE_SCORES if name != "regret" or options.search]
    scores = score_films(vae, test.values, list(test.names), names=names, draws=draws, search=search)
    return [auroc(test.abnormal, scores[name]) for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--networks", nargs="+", default=["dense", "convolutional"])
    parser.add_argument("--likelihoods", nargs="+", default=SHOWN_LIKELIHOODS)
    parser.add_argument("--half", default="report", choices=["report", "tune"])
    parser.add_argument("--steps", type=int, default=300, help="of the convolutional network")
    parser.add_argument("--epochs", type=int, default=50, help="of the dense network")
    parser.add_argument("--search", type=int, default=20, help="steps of likelihood regret; 0 leaves it out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    films = load()
    names = [name for name in VAE_SCORES if name != "regret" or options.search]
    for seed in options.seeds:
        trained, tested = split(films, seed, options.half)
        test = films.rows(tested)
        known = tones(test.values)
        print(f"{time.strftime('%d %B %Y')}, load {os.getloadavg()[0]:.1f}, seed {seed}, {len(tested)} films, AUROC")
        print(", ".join(f"{name} {auroc(test.abnormal, known[name]):.3f}" for name in TONES))
        print(f"{'':38}" + "".join(f"{name:>19}" for name in names), flush=True)
        for name, vae, plan in networks(options, len(trained), seed):
            start = time.process_time()
            trained_vae(vae, films.values[trained], plan, seed)
            areas = row_of(vae, test, options, seed)
            seconds = time.process_time() - start
            print(f"{name:38}" + "".join(f"{area:19.3f}" for area in areas) + f"   {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
