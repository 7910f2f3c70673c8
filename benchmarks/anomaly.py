"""Which score tells films of children with pneumonia from normal ones, learning from normal films alone? And other images?

1,000 films of one hospital (Kermany et al. 2018: 500 normal, 500 pneumonia), each shrunk to the same square of 8-bit grey
values, so that how a file was compressed is gone with the file. Each seed draws 300 normal films to train on, 50 that are left
aside and the other 150 to test, by patient; pneumonia is the half of its patients that was not used to choose anything
(`--half tune` is the other half). Printed: AUROC and AUPRC with 95 % intervals over patients, rank correlation with mean
intensity, pixel entropy and compressed size, and the difference of the best score from each baseline. A score that falls with
pneumonia stands as it is, and beside it turned round.

    python benchmarks/anomaly.py --seeds 0 1 2
    python benchmarks/anomaly.py --seeds 0 --others        # chest films against other images
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import skimage
import torch
from PIL import Image
from skimage.feature import hog, local_binary_pattern

from tile_engine.models.anomaly.nearest import Reference
from tile_engine.models.anomaly.scores import score_films
from tile_engine.models.anomaly.self_supervised import film_autoencoder, film_embeddings, film_reconstruction
from tile_engine.models.anomaly.spots import SpotterReference, reference_of, score_spots
from tile_engine.models.evaluation.detection import detection, differences
from tile_engine.models.evaluation.ranking import auroc
from tile_engine.models.evaluation.tone import tones
from tile_engine.models.evaluation.tone_check import tone_check
from tile_engine.models.networks.spotter import Spotter
from tile_engine.models.networks.vae import Vae, vae_preset
from tile_engine.models.seeds import generator, numpy_generator
from tile_engine.models.training.pasting import Pasting, PastingPlan
from tile_engine.models.training.phases import train_phase
from tile_engine.models.training.variational import KUROTAKI2017, KUROTAKI2017_EPOCHS, Variational, VariationalPlan
from tile_engine.models.views.pasted import PastedViews, prior_of

Array = np.ndarray
SIDE, TRAINED, LEFT_ASIDE = 100, 300, 50
WIDTHS = (8, 16, 32, 64)
"""Of the convolutional autoencoder."""
TONES = ("mean_intensity", "pixel_entropy", "compressed_bits")


@dataclass(frozen=True, slots=True)
class Films:
    """Films with what is known of them, rows in order."""

    values: Array
    """uint8 (n, 1, SIDE, SIDE)."""
    abnormal: Array
    subjects: Array
    names: Array
    bytes: Array
    """Size of each film's own file."""

    def rows(self, index: Array) -> Films:
        return Films(*(getattr(self, name)[index] for name in self.__slots__))


def data() -> Path:
    return Path(os.environ.get("TILE_ENGINE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def square(image: Image.Image, side: int = SIDE) -> Array:
    return np.asarray(image.convert("L").resize((side, side), Image.Resampling.LANCZOS))


def load(side: int = SIDE) -> Films:
    """All films; names of files say the patient: person12_virus_3, IM-0115-0001, NORMAL2-IM-0115-0001."""
    folder = data() / "cxr/kermany-224/train"
    paths = [path for kind in ("NORMAL", "PNEUMONIA") for path in sorted((folder / kind).glob("*.jpeg"))]
    if not paths:
        raise SystemExit(f"no films in {folder}: TILE_ENGINE_DATA names the folder of data")
    subjects = [re.match(r"person\d+|(?:NORMAL2-)?IM-\d+", path.name) for path in paths]
    return Films(
        values=np.stack([square(Image.open(path), side) for path in paths])[:, None],
        abnormal=np.array([path.parent.name == "PNEUMONIA" for path in paths]),
        subjects=np.array([match.group() if match else path.name for match, path in zip(subjects, paths, strict=True)]),
        names=np.array([path.name for path in paths]),
        bytes=np.array([path.stat().st_size for path in paths], np.float64),
    )


def split(films: Films, seed: int, half: str) -> tuple[Array, Array]:
    """(rows to train on, rows to test on): patients are drawn, never films."""
    ill = np.unique(films.subjects[films.abnormal])
    first = set(numpy_generator(0, "halves").permutation(ill)[: len(ill) // 2])
    well = numpy_generator(seed, "split").permutation(np.unique(films.subjects[~films.abnormal]))
    order = np.concatenate([np.flatnonzero((films.subjects == one) & ~films.abnormal) for one in well])
    cuts, patients = np.cumsum([TRAINED, LEFT_ASIDE]), films.subjects[order]
    # a cut does not divide a patient
    cuts = [next(n for n in range(cut, len(order)) if patients[n] != patients[n - 1]) for cut in cuts]
    chosen = [row for row in np.flatnonzero(films.abnormal) if (films.subjects[row] in first) == (half == "tune")]
    return order[: cuts[0]], np.concatenate([order[cuts[1] :], chosen])


def others() -> Iterator[tuple[str, Array]]:
    """(kind, image (SIDE, SIDE)) of images that are no films: slices of heads, tissue, photographs."""
    for path in sorted((data() / "mri/ixi-hh-2mm/dev").glob("*.nii.gz"))[:25]:
        head = np.asarray(nibabel.load(path).dataobj, np.float32)
        for plane in (head[head.shape[0] // 2], head[:, head.shape[1] // 2], head[:, :, head.shape[2] // 2]):
            grey = np.clip(plane / np.percentile(head, 99.5) * 255, 0, 255).astype(np.uint8)
            yield "heads", square(Image.fromarray(np.rot90(grey)))
    for path in sorted((data() / "wsi/colon-tiles-5class").rglob("*.jpg"))[::40]:
        yield "tissue", square(Image.open(path))
    folder = Path(skimage.__file__).parent / "data"
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".png", ".jpg")):
        photo, half = Image.open(path).convert("L"), None
        yield "photographs", square(photo)
        for half in ((0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1)):
            box = [round(share * n) for share, n in zip(half, photo.size * 2, strict=True)]
            yield "photographs", square(photo.crop(tuple(box)))


def hand_features(films: Array) -> Array:
    """Histogram of oriented gradients and of local binary patterns of each film."""
    rows = []
    for film in films[:, 0]:
        patterns = np.bincount(local_binary_pattern(film, 8, 1, "uniform").astype(int).ravel(), minlength=10)
        gradients = hog(film, orientations=8, pixels_per_cell=(20, 20), cells_per_block=(1, 1))
        rows.append(np.concatenate([gradients, patterns / film.size]))
    return np.stack(rows)


def component_error(train: Array, test: Array, components: int = 16) -> Array:
    """Squared error of films by the principal components of the training films."""
    flat, other = (part.reshape(len(part), -1) / 255.0 for part in (train, test))
    basis = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:components]
    centred = other - flat.mean(0)
    return np.square(centred - centred @ basis.T @ basis).mean(1)


def trained_vae(vae: Vae, films: Array, plan: VariationalPlan, seed: int) -> Vae:
    train_phase(Variational(vae, films, plan, seed=seed))
    return vae


def spotters(films: Array, count: int, steps: int, seed: int) -> tuple[list[Spotter], list[SpotterReference]]:
    """Networks of several seeds, and what they say of the films that they were trained on."""
    views = PastedViews(prior=prior_of(films[:, 0].mean(0) / 255.0))
    networks = []
    for number in range(count):
        network = Spotter(source=generator(seed, "spotter", number))
        train_phase(Pasting(network, films, PastingPlan(steps, views=views), seed=1000 * number + seed))
        networks.append(network)
    return networks, [reference_of(network, films) for network in networks]


def self_supervised(train: Array, test: Array, steps: int, seed: int) -> tuple[Array, Array]:
    """Embeddings by the autoencoder that `run cluster` trains."""
    network = film_autoencoder(SIDE, seed=seed)
    train_phase(film_reconstruction(network, train, steps, seed=seed))
    return film_embeddings(network, train), film_embeddings(network, test)


def scores_of(train: Array, test: Films, options: argparse.Namespace, seed: int) -> dict[str, Array]:
    """Score name -> score of each test film."""
    values, keys = test.values, list(test.names)
    scores: dict[str, Array] = {"bytes of the file": test.bytes, **tones(values)}
    scores["16 principal components"] = component_error(train, values)
    scores["neighbours of HOG and LBP"] = Reference.of(hand_features(train)).distances(hand_features(values))
    plan = KUROTAKI2017.of_epochs(len(train), KUROTAKI2017_EPOCHS)
    source = trained_vae(vae_preset("kurotaki2017", generator(seed, "vae")), train, plan, seed)
    names = ("negative_elbo", "entropy_corrected", "reconstruction")
    scores |= {f"kurotaki2017 {k}": v for k, v in score_films(source, values, keys, names=names).items()}
    ours = Vae(SIDE, widths=WIDTHS, source=generator(seed, "vae"))
    trained_vae(ours, train, VariationalPlan(options.vae_steps, batch=48), seed)
    scores |= {f"convolutional {k}": v for k, v in score_films(ours, values, keys, names=names[::2]).items()}
    codes, test_codes = self_supervised(train, values, options.vae_steps, seed)
    scores["self-supervised neighbours"] = Reference.of(codes).distances(test_codes)
    networks, references = spotters(train, options.networks, options.steps, seed)
    return {**scores, **score_spots(networks, references, values)}


def tell(seed: int, test: Films, scores: dict[str, Array]) -> None:
    check = tone_check(scores, {name: scores[name] for name in TONES})
    print(f"seed {seed}: {int((~test.abnormal).sum())} normal, {int(test.abnormal.sum())} abnormal")
    print(f"  {'':34}{'AUROC':>20} {'round':>6} {'AUPRC':>20}   rank correlation with {', '.join(TONES)}")
    for name, values in scores.items():
        one = detection(test.abnormal, values, test.subjects, seed=seed)
        areas = f"{one.auroc:.3f} [{one.auroc_low:.3f}, {one.auroc_high:.3f}] {1 - one.auroc:6.3f}"
        precision = f"{one.auprc:.3f} [{one.auprc_low:.3f}, {one.auprc_high:.3f}]"
        print(
            f"  {name:34}{areas} {precision}   {'  '.join(f'{check.correlations[name][tone]:+.2f}' for tone in TONES)}"
        )
    best = scores["pasted_neighbours"]
    baselines = {name: values for name, values in scores.items() if not name.startswith("pasted")}
    turned = {n: v if auroc(test.abnormal, v) > 0.5 else -v for n, v in baselines.items()}
    for name, one in differences(test.abnormal, best, turned, test.subjects, seed=seed).items():
        print(f"  pasted_neighbours - {name:32} {one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}]")


def with_others(test: Films) -> Films:
    """Chest films, ill or not, as the normal ones, and other images as the abnormal ones; each image is a subject."""
    kinds, images = zip(*others(), strict=True)
    count = len(images)
    names = np.array([f"{kind} {number}" for number, kind in enumerate(kinds)])
    more: dict[str, Any] = {"values": np.stack(images)[:, None], "abnormal": np.ones(count, bool), "subjects": names}
    more |= {"names": names, "bytes": np.zeros(count)}
    chest = replace(test, abnormal=np.zeros(len(test.values), bool))
    return Films(*(np.concatenate([getattr(chest, name), more[name]]) for name in Films.__slots__))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--half", default="report", choices=["report", "tune"], help="patients with pneumonia to test on"
    )
    parser.add_argument("--networks", type=int, default=1, help="spotters of a seed")
    parser.add_argument("--steps", type=int, default=150, help="of a spotter")
    parser.add_argument(
        "--vae-steps", type=int, default=300, help="of the convolutional and the self-supervised networks"
    )
    parser.add_argument("--others", action="store_true", help="chest films against other images")
    options = parser.parse_args()
    torch.set_num_threads(1)
    films = load()
    print(f"{time.strftime('%d %B %Y')}, {SIDE} pixels a side, {options.networks} spotters of {options.steps} steps")
    for seed in options.seeds:
        start = time.process_time()
        train, tested = split(films, seed, options.half)
        test = films.rows(tested)
        if options.others:
            test = with_others(test)
        tell(seed, test, scores_of(films.values[train], test, options, seed))
        print(f"  {time.process_time() - start:.0f} processor seconds", flush=True)


if __name__ == "__main__":
    main()
