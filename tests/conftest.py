"""Fixtures for all rooms."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import warm
from once import once

for library in ("OMP", "MKL", "OPENBLAS"):  # several test processes share the cores; dask sets the same for its workers
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

DATA = Path(os.environ.get("TILE_ENGINE_DATA") or Path(__file__).parent.parent / ".." / "shared" / "data")


LONGEST_FIRST = ("docs", "engine", "cli")
"""Folders whose tests begin first: at the end, short ones keep all processes busy."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the tests, those of a file stay together, since its fixtures serve all of them.

    A file says otherwise with `xdist_group`, whose tests stay together beyond the file, or with `apart`.
    """
    here = Path(__file__).parent
    for item in items:
        if not any(item.get_closest_marker(name) for name in ("xdist_group", "apart")):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(here).parts[0], len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Where CI=true, a test that would be skipped for a missing component fails; one that needs a GPU may be skipped."""
    report = yield
    return report if item.get_closest_marker("gpu") else _skipped_fails(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Any:
    """The same for a whole file."""
    return _skipped_fails((yield))


def _skipped_fails(report: Any) -> Any:
    if report.outcome == "skipped" and not hasattr(report, "wasxfail") and os.environ.get("CI", "").lower() == "true":
        report.outcome = "failed"
        where = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"nothing may be skipped where CI=true: {where}"
    return report


@pytest.fixture(scope="session", autouse=True)
def warm_commands() -> Iterator[warm.Server]:
    """Commands of tile-engine that tests start need not import first."""
    with warm.installed() as server:
        yield server


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real slides and bad files: TILE_ENGINE_DATA, else ../shared/data beside the repository."""
    if not (DATA / "wsi").is_dir():
        reason = f"no test data in {DATA.resolve()}: set TILE_ENGINE_DATA to the folder that holds wsi/, bad/, ngff/"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return DATA.resolve()


@dataclass(frozen=True)
class Mini:
    """A cohort of three tiny slides and one undisturbed run of it: `out` is only ever read; `copy` it to go on."""

    slides: Path
    out: Path
    settings: dict[str, Any]
    """Of the run, as `tile_engine.cluster` takes them."""
    args: tuple[str, ...]
    """The same, as the command line takes them."""

    def copy(self, to: Path) -> Path:
        """A copy of the finished run, times of files included."""
        return Path(shutil.copytree(self.out, to))

    @staticmethod
    def command(*words: str | Path) -> list[str]:
        return [sys.executable, "-m", "tile_engine.cli", *map(str, words)]

    @classmethod
    def cli(cls, *words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """The command line in a process of its own."""
        return subprocess.run(cls.command(*words), capture_output=True, text=True, timeout=300, check=False, **options)

    def again(self, out: Path) -> list[str]:
        """The command of the run, on another folder."""
        return self.command("run", "cluster", "--slides", self.slides, "--out", out, *self.args)

    @staticmethod
    def results(out: Path, *names: str) -> dict[str, str]:
        """Path below OUT -> hash of the bytes, of all that a repeated or resumed run must leave the same."""
        roots = [out / name for name in names or ("slides", "models", "tables", "samples.zarr", "shares.csv")]
        files = [p for root in roots for p in ([root] if root.is_file() else root.rglob("*")) if p.is_file()]
        return {p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(files)}


def tiny_slides(folder: Path) -> Path:
    """Three crops of an IHC section as tiled JPEG TIFFs of 0.5 um by their resolution tags; no side a multiple of a tile."""
    import numpy as np
    import skimage.data
    import tifffile

    folder.mkdir(parents=True)
    section = skimage.data.immunohistochemistry()
    crops = {"a.tif": section[:384, :384], "b.tif": np.rot90(section[100:484, 60:420]), "c.tif": section[128:, 160:501]}
    for name, pixels in crops.items():
        tifffile.imwrite(
            folder / name,
            np.ascontiguousarray(pixels),
            tile=(128, 128),
            photometric="rgb",
            compression="jpeg",
            compressionargs={"level": 90},
            resolution=(2e4, 2e4),
            resolutionunit="CENTIMETER",
            metadata=None,
        )
    return folder


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Mini:
    """Made once a session, by a command line that starts as it does outside tests: all that starts warm is held against it."""
    settings = {"patch": 32, "effort": 0.02, "k": "2-3", "objective": "imsat", "seeds": 2, "umap": False, "threads": 1}
    settings["samples"] = 1100  # two shards
    args = ("--patch", "32", "--effort", "0.02", "--k", "2-3", "--objective", "imsat", "--seeds", "2", "--no-umap")
    args = (*args, "--threads", "1", "--samples", "1100")

    def mini_in(root: Path) -> Mini:
        return Mini(root / "slides", root / "out", settings, (*args, "--cluster", "none"))

    def make(root: Path) -> None:
        made = mini_in(root)
        tiny_slides(made.slides)
        command, environment = made.again(made.out), {**os.environ, warm.COLD: "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
        assert done.returncode == 0, done.stderr

    return mini_in(once(tmp_path_factory, "mini", make))


def tiny_volumes(folder: Path) -> Path:
    """Six balls with a hole of 32 x 36 x 34 voxels, of two classes and two sites, a subject each; returns their list."""
    import nibabel
    import numpy as np

    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    rows = ["path,subject,label,site,age"]
    for i in range(6):
        z, y, x = np.indices((32, 36, 34)) - np.array([15.5, 17.5, 16.5])[:, None, None, None]
        ball = (z / 14) ** 2 + (y / 16) ** 2 + (x / 15) ** 2 < 1
        hole = z**2 + y**2 + x**2 < (3 + 4 * (i % 2)) ** 2
        values = (400.0 * ball - 250.0 * hole + draw.normal(0, 6, z.shape) + 20).clip(0).astype(np.int16)
        nibabel.save(
            nibabel.Nifti1Image(values.transpose(2, 1, 0), np.diag([2.0, 2, 2, 1])), folder / f"case{i}.nii.gz"
        )
        rows.append(f"case{i}.nii.gz,s{i},{('small', 'large')[i % 2]},site{i // 3},{20 + i}")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder / "list.csv"


def tiny_films(folder: Path) -> Path:
    """A set of 250 drawn films in two batches with those of files: PNG, and two DICOM films that are dark where the body
    absorbs; returns their list."""
    import numpy as np
    from PIL import Image

    from tile_engine.stores.films.synthetic import draw_film

    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    rows = ["path,subject,label,site"]
    labels = np.array(["normal", "opacity"])[(np.arange(250) % 5 == 0).astype(int)]
    films = np.stack([draw_film(32, draw, abnormal=label != "normal") for label in labels])
    subjects = np.array([f"p{i // 2}" for i in range(250)])
    np.savez(folder / "set.npz", images=np.rint(films * 255).astype(np.uint8), label=labels, subject=subjects)
    rows.append("set.npz,,,A")
    for i in range(12):
        label = ("normal", "opacity")[i % 2]
        film = draw_film(40, draw, abnormal=i % 2 == 1)[:, 4:36]
        if i < 10:
            Image.fromarray(np.rint(film * 255).astype(np.uint8)).save(folder / f"{i}.png")
            rows.append(f"{i}.png,q{i},{label},B")
        else:
            write_dicom_film(folder / f"{i}.dcm", np.rint((1 - film) * 4095).astype(np.uint16))
            rows.append(f"{i}.dcm,q{i},{label},B")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder / "list.csv"


def with_other_task(films: Path, path: Path) -> Path:
    """A list of the films of `tiny_films`, and of eight films of another task, which are upright or upside down."""
    import numpy as np
    from PIL import Image

    from tile_engine.stores.films.synthetic import draw_film

    draw = np.random.default_rng(1)
    (path.parent / "other").mkdir()
    header, *rows = films.read_text().splitlines()
    lines = [f"{header},task", *(f"{films.parent.name}/{row}," for row in rows)]
    for i in range(8):
        film = np.rint(draw_film(32, draw) * 255).astype(np.uint8)
        Image.fromarray(film[:: (1, -1)[i % 2]]).save(path.parent / "other" / f"{i}.png")
        lines.append(f"other/{i}.png,o{i},{('up', 'down')[i % 2]},B,pretrain")
    path.write_text("\n".join(lines) + "\n")
    return path


def tiny_sections(folder: Path) -> Path:
    """Two blocks of two and three tiny sections: crops of an IHC section, shifted, and in other colours; returns their list."""
    import numpy as np
    import skimage.data
    from PIL import Image

    folder.mkdir(parents=True)
    section = skimage.data.immunohistochemistry()[::2, ::2]
    rows = ["file,block,order,stain,reference,mpp,subject,landmarks"]
    blocks = {"one": ("HE", "PanCK", "Ki67"), "two": ("HE", "PanCK")}
    for b, (block, stains) in enumerate(blocks.items()):
        for i, stain in enumerate(stains):
            y, x = 40 + 60 * b + 2 * i, 50 + 3 * i
            crop = np.full((96, 96, 3), 245, np.uint8)
            crop[12:84, 10:86] = np.roll(section[y : y + 72, x : x + 76], i, axis=2)
            Image.fromarray(crop).save(folder / f"{block}_{stain}.png")
            points = np.array([[30.0, 40.0], [60.0, 30.0], [50.0, 70.0]]) - [3 * i, 2 * i]
            lines = [f"{n},{px},{py}" for n, (px, py) in enumerate(points)]
            (folder / f"{block}_{stain}.csv").write_text("\n".join([",X,Y", *lines]) + "\n")
            reference = "yes" if stain == "HE" else ""
            rows.append(f"{block}_{stain}.png,{block},{i},{stain},{reference},8,s{b},{block}_{stain}.csv")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder / "list.csv"


def write_dicom_film(path: Path, values: Any, **elements: Any) -> None:
    """A digital radiograph of 12 bits, MONOCHROME1 unless `elements` say otherwise."""
    import pydicom
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    film = pydicom.Dataset()
    film.file_meta = pydicom.dataset.FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID = DigitalXRayImageStorageForPresentation
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    film.Modality, film.PhotometricInterpretation, film.PatientName = "DX", "MONOCHROME1", "Secret^Person"
    film.Rows, film.Columns = values.shape
    film.SamplesPerPixel, film.PixelRepresentation = 1, 0
    film.BitsAllocated, film.BitsStored, film.HighBit = 16, 12, 11
    film.WindowCenter, film.WindowWidth = 2048, 4096
    film.PixelData = values.tobytes()
    for name, value in elements.items():
        setattr(film, name, value)
    film.save_as(path, enforce_file_format=True)


@pytest.fixture(scope="session")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Modality -> a miniature cohort of it, as a user names it, and those of runs that need a list. A new modality gets its
    line here."""

    def make(root: Path) -> None:
        tiny_slides(root / "slides")
        tiny_volumes(root / "volumes")
        with_other_task(tiny_films(root / "films"), root / "tasks.csv")
        tiny_sections(root / "sections")
        (root / "sites.csv").write_text(
            "path,subject,site,split\nslides/a.tif,p,A,train\nslides/b.tif,q,B,train\nslides/c.tif,r,A,test\n"
        )

    root = once(tmp_path_factory, "cohorts", make)
    made = {"slides": root / "slides", "volumes": root / "volumes" / "list.csv", "films": root / "films" / "list.csv"}
    made["sections"] = root / "sections" / "list.csv"
    made["classify films"] = root / "tasks.csv"
    return made | dict.fromkeys(("harmonize slides", "sites slides"), root / "sites.csv")


QUICK: dict[str, Any] = {"effort": 0.02, "threads": 1, "umap": False}
"""Settings that every run has, small."""
HOW_SMALL: dict[str, dict[str, Any]] = {
    "anomaly films": {"side": 32, "latent": 4},
    "anomaly slides": {"patch": 32, "latent": 4, "stride": 32},
    "anomaly volumes": {"normal": "small", "holdout": 0.5, "latent": 4, "draws": 2},
    "classify films": {"side": 32, "cv": 2, "site_matrix": True},
    "cluster slides": {"patch": 32, "samples": 300, "k": "2-3", "seeds": 2},
    "cluster volumes": {"patch": 16, "samples": 300, "k": "2-3", "objective": "imsat", "seeds": 2},
    "cluster sections": {
        "patch": "32,64",
        "stride": 16,
        "samples": 300,
        "k": "2-3",
        "seeds": 2,
        "resolution": 64,
        "label_grid": "cells",
    },
    "cluster subjects": {"embedding_size": 4, "k": "2-3", "umap": True},
    "embed volumes": {"embedding_size": 4, "cv": 2, "umap": True},
    "embed volume-tiles": {"patch": 16},
    "embed slide-tiles": {"patch": 32, "pixels": "tissue"},
    "harmonize volumes": {"to": "site1", "holdout": 0, "piece": 32, "tile": 32},
    "harmonize slides": {"to": "B", "generator": "resnet", "width": 4, "piece": 32, "tile": 128},
    "register sections": {"resolution": 64},
    "sites volumes": {"cv": 2, "shuffled": 1},
    "sites slides": {"patch": 32},
}
"""Run and variant -> what makes it small, and its unusual ways used; a new run needs no line."""


@dataclass(frozen=True)
class Finished:
    """An undisturbed run of one variant on a miniature cohort: `out` is only ever read; `copy` it to go on."""

    name: str
    variant: str
    images: dict[str, Path]
    settings: dict[str, Any]
    out: Path

    def again(self, out: Path, *, cluster: Any = None, settings: dict[str, Any] | None = None, **options: Any) -> Any:
        """The same run on another folder, in this process unless `cluster` says otherwise."""
        from tile_engine import ClusterOptions, RunOptions
        from tile_engine.engine.api.running import run

        how = RunOptions(cluster=cluster or ClusterOptions(cluster="none"), **options)
        return run(self.name, self.images, out, options=how, settings=self.settings | (settings or {}))

    def copy(self, to: Path) -> Path:
        """A copy of the finished run, times of files included."""
        return Path(shutil.copytree(self.out, to))

    @property
    def reads(self) -> dict[str, list[str]]:
        """Step -> the settings that it looked at."""
        return dict(json.loads((self.out.parent / "reads.json").read_text()))

    def make(self) -> None:
        with settings_read() as reads:
            assert self.again(self.out).status == "done"
        (self.out.parent / "reads.json").write_text(json.dumps({step: sorted(names) for step, names in reads.items()}))


@contextlib.contextmanager
def settings_read() -> Iterator[dict[str, set[str]]]:
    """Step -> the settings that it looks at, in this process and any thread of it. A thread that no unit was given to counts
    for the step whose units are done at that time; while units of two steps are, it counts for none."""
    from tile_engine.engine.pipeline.settings import RunSettings
    from tile_engine.engine.runtime import perform

    reads: dict[str, set[str]] = {}
    steps: dict[int, str] = {}  # by thread
    plain, unwatched = object.__getattribute__, perform.perform_of

    def seen(settings: RunSettings, name: str) -> Any:
        if name in type(settings).model_fields:
            own = steps.get(threading.get_ident())
            at_once = {own} if own else set(steps.values())
            if len(at_once) == 1:
                reads.setdefault(*at_once, set()).add(name)
        return plain(settings, name)

    def watched(job: Any, unit: Any, replica: Any = None) -> Any:
        steps[threading.get_ident()] = unit.step
        try:
            return unwatched(job, unit, replica)
        finally:
            del steps[threading.get_ident()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunSettings, "__getattribute__", seen, raising=False)
        patch.setattr(perform, "perform_of", watched)
        yield reads


@pytest.fixture(scope="session")
def finished(cohorts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Finished]:
    """(run, variant) -> its finished run, made once a session for all its test processes."""

    def of(name: str, variant: str) -> Finished:
        from tile_engine.engine.runs import command

        chosen = command(name).named(variant)
        given = {chosen.given: chosen.settings.model_fields[chosen.given].default} if chosen.given else {}
        if chosen.given == "trained":  # names a finished run: that of the same images
            given = {"trained": str(of(name, chosen.images).out)}
        settings = QUICK | given | HOW_SMALL.get(f"{name} {variant}", {})
        images = {chosen.images: cohorts.get(f"{name} {variant}", cohorts[chosen.images])}

        def run_in(folder: Path) -> Finished:
            return Finished(name, variant, images, settings, folder / "out")

        return run_in(once(tmp_path_factory, f"finished-{name}-{variant}", lambda folder: run_in(folder).make()))

    return of


@dataclass(frozen=True)
class Lab:
    """An empty bucket of an S3 server on this machine; the environment of the test names the server and its keys."""

    url: str
    """s3://bucket"""
    port: int


KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTONLYKEY", "AWS_SECRET_ACCESS_KEY": "a-secret-that-nobody-may-see"}


@pytest.fixture(scope="session")
def store_port() -> Iterator[int]:
    """moto's S3 server, in a process of its own that ends by itself."""
    port = free_port()
    server = Path(sys.executable).with_name("moto_server")
    command = ["timeout", "3600", str(server), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until_answered(port)
        yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def lab(store_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    from tile_engine.stores import bucket

    name = f"lab-{uuid.uuid4().hex[:8]}"
    request = urllib.request.Request(f"http://127.0.0.1:{store_port}/{name}", method="PUT")
    urllib.request.urlopen(request, timeout=60).close()
    for variable in [v for v in os.environ if v.startswith(("AWS_", "TILE_ENGINE_CACHE", "TILE_ENGINE_RUN"))]:
        monkeypatch.delenv(variable)
    for variable, value in (KEYS | {"AWS_REGION": "us-east-1"}).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{store_port}")
    bucket._client.cache_clear()
    yield Lab(f"s3://{name}", store_port)
    bucket._client.cache_clear()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_answered(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nobody listens on port {port}")
