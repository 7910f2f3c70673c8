"""kinds: for every kind, its seeds on disk, which of their files are mutated, and how a seed is read."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import reads
from .mutate import mutated
from .seeds import seeds
from .trial import Outcome, outcomes

TEXT = {".csv", ".tsv", ".xlsx", ".json", ".geojson", ".zattrs", ".zarray", ".zgroup", ".nhdr"}
"""Suffixes of files that are mutated as text."""
READS: dict[str, Callable[[Path], str]] = {
    "tiff": reads.read_slide,
    "jpeg tiff": reads.read_slide,
    "svs": reads.read_slide,
    "picture": reads.read_slide,
    "zarr slide": reads.read_slide,
    "zarr volume": reads.read_volume,
    "nifti": reads.read_volume,
    "mgh": reads.read_volume,
    "nrrd": reads.read_volume,
    "npz": reads.read_volume,
    "dicom": reads.read_volume,
    "dicom slide": reads.read_slide,
    "slide list": reads.read_slide_list,
    "participants": reads.read_participant_list,
    "mask": reads.read_mask,
    "run": reads.read_run_folder,
}
"""Kind -> what reads a file, or a folder, of it."""
COMPANIONS = {".png"}
"""Suffixes of files of a list's seed that are not mutated."""


@dataclass(frozen=True)
class Seed:
    """A whole file or folder of a kind, on disk."""

    kind: str
    name: str
    path: Path
    """What is read."""
    targets: tuple[Path, ...]
    """The files of which one is mutated."""


@dataclass(frozen=True)
class Finding:
    """What was found by one try, and how it is done again: `python -m fuzz --kind KIND --seed NUMBER --tries 1`."""

    kind: str
    number: int
    seed: str
    target: str
    outcome: Outcome

    def text(self) -> str:
        again = f"python -m fuzz --kind '{self.kind}' --seed {self.number} --tries 1"
        what = f"  {self.seed}, {self.target} changed, {self.outcome.seconds:.1f} s"
        return f"{self.outcome.kind}: {again}\n{what}\n{self.outcome.text}"


def written(folder: Path, run: Path | None = None) -> dict[str, list[Seed]]:
    """Write the seeds of all kinds, and a copy of a finished run, into a folder; in a child, as writers start threads."""
    outcome = outcomes([lambda: _write(folder)])[0]
    if outcome.kind != "ok":
        raise RuntimeError(f"the seeds cannot be written: {outcome.text}")
    found: dict[str, list[Seed]] = {}
    for kind in seeds():
        found[kind] = [_seed(kind, place) for place in sorted((folder / kind).iterdir())]
    if run is not None:
        copy = Path(shutil.copytree(run, folder / "run" / "out"))
        found["run"] = [Seed("run", "finished run", copy, tuple(_of_run(copy)))]
    return found


def finished_run(folder: Path) -> Path:
    """A small run of its own, whose documents and stores are mutated."""
    from conftest import tiny_slides

    slides, out = tiny_slides(folder / "slides"), folder / "out"
    small = ["--patch", "32", "--effort", "0.02", "--k", "2-3", "--objective", "imsat", "--seeds", "2", "--no-umap"]
    where = ["--slides", str(slides), "--out", str(out), "--threads", "1", "--cluster", "none"]
    command = [sys.executable, "-m", "tile_engine.cli", "run", "cluster", *where, *small]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return out


def _write(folder: Path) -> str:
    for kind, writers in seeds().items():
        for number, (name, write) in enumerate(writers.items()):
            place = folder / kind / f"{number:02d} {name}"
            place.mkdir(parents=True)
            write(place)
    return ""


def _seed(kind: str, place: Path) -> Seed:
    files = sorted(path for path in place.rglob("*") if path.is_file())
    if kind == "slide list":
        lists = tuple(path for path in files if path.suffix not in COMPANIONS)
        return Seed(kind, place.name, lists[0], lists)
    if kind in ("zarr slide", "zarr volume"):
        return Seed(kind, place.name, place / "a.ome.zarr", tuple(files))
    path = place if kind == "dicom" else next((p for p in files if p.suffix in (".hdr", ".nhdr")), files[0])
    return Seed(kind, place.name, path, tuple(files))


def _of_run(out: Path) -> list[Path]:
    """The files of a run that are mutated: documents, metadata and shards of each kind, once."""
    stores = sorted((out / "slides").iterdir())
    receipts = [
        next((out / "receipts").rglob(f"{step.name}/**/*.json"))
        for step in sorted((out / "receipts").iterdir())
        if step.is_dir()
    ]
    images = [p for p in sorted(stores[0].rglob("*")) if p.is_file()]
    tables = [p for p in sorted((out / "tables").rglob("*")) if p.is_file()]
    documents = [p for p in (*out.glob("*.json"), *(out / "models").iterdir()) if p.is_file()]
    index = [p for p in (out / "index").glob("*") if p.is_file()]
    return [*sorted(documents) * 4, *receipts * 2, *index * 2, *images, *tables]


def tried(seeds: list[Seed], numbers: range) -> list[Finding]:
    """Tries of one kind: in each a file of one of the seeds is changed, the seed is read, and the file is restored."""
    picks = [_pick(seeds, number) for number in numbers]
    whole = {target: target.read_bytes() for seed in seeds for target in seed.targets}

    def restore() -> None:
        for target, data in whole.items():
            target.write_bytes(data)

    def reading(seed: Seed, target: Path, random_: random.Random) -> Callable[[], str]:
        def read() -> str:
            text = target.suffix in TEXT or target.name in TEXT
            if random_.random() < 0.02:
                target.unlink()
            else:
                target.write_bytes(mutated(whole[target], random_, text=text))
            try:
                return READS[seed.kind](seed.path)
            finally:
                target.write_bytes(whole[target])

        return read

    found = outcomes([reading(*pick) for pick in picks], restore)
    return [
        Finding(seed.kind, number, seed.name, target.name, outcome)
        for number, (seed, target, _), outcome in zip(numbers, picks, found, strict=True)
    ]


def _pick(seeds: list[Seed], number: int) -> tuple[Seed, Path, random.Random]:
    """(seed, the file that is changed, generator that changes it) of a try."""
    random_ = random.Random(f"{seeds[0].kind}/{number}")
    seed = random_.choice(seeds)
    return seed, random_.choice(seed.targets), random_
