"""Searching whole volumes: a case of the run, a new file, cases that are added, and what becomes of them later.

The network is a stand-in: it takes a few sums over a volume for its code, so that neighbours are known beforehand.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tile_engine
from tile_engine.cli.search import print_hits
from tile_engine.engine.pipeline.documents import write_run
from tile_engine.engine.pipeline.image_documents import write_images
from tile_engine.engine.pipeline.record import ImageRecord
from tile_engine.engine.runs import pipeline
from tile_engine.engine.runs.embed.settings import EmbedSettings
from tile_engine.engine.runtime import load as loading
from tile_engine.engine.runtime.load import load
from tile_engine.engine.search import gallery as galleries
from tile_engine.engine.search.add import add
from tile_engine.engine.search.hits import Case
from tile_engine.engine.search.search import file_name, picture
from tile_engine.errors import CorruptError, LockedError, NoInputError, SettingsError
from tile_engine.stores.folder import Folder
from tile_engine.stores.frame import Frame
from tile_engine.stores.image import ImageSpec, StoredImage
from tile_engine.stores.lock import Lock
from tile_engine.stores.slides.file_marks import fingerprint
from tile_engine.stores.tables import write_table

SHAPE, SPACING = (10, 12, 8), (2000.0, 1000.0, 1000.0)


def head(seed: int) -> Any:
    """A bright ellipsoid with some noise."""
    generator = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    inside = (z / 0.9) ** 2 + (y / 0.8) ** 2 + (x / 0.7) ** 2 < 1
    return (inside * generator.integers(200 + 20 * seed, 800, SHAPE)).astype(np.int16)


def written(path: Path, seed: int) -> Path:
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(head(seed).transpose(2, 1, 0), np.diag([1.0, 1.0, 2.0, 1.0]))
    nibabel.save(image, path)
    return path


def code(path: str | Path) -> list[float]:
    import nibabel

    values = np.asarray(nibabel.load(path).dataobj, np.float64)
    return [values.mean(), values.std(), values[:4].mean(), values[:, :6].mean()]


def record(path: Path, name: str, **said: Any) -> ImageRecord:
    frame = {"native_shape": SHAPE, "shape": SHAPE, "spacing": SPACING, "origin": (0.0, 0.0, 0.0)}
    ids = {"id": name.replace("/", "-").removesuffix(".nii.gz"), "name": name, "path": str(path)}
    kind = {"reader": "nifti", "native_spacing": 1260.0, "channels": 1, "dtype": "int16", "background": 0}
    base = {"mpp": None, "subject": "", "site": "", "columns": {}, "fingerprint": fingerprint(path)}
    return ImageRecord(**{**base, **ids, **frame, **kind, **said})


FEATURES = 4
"""Length of an embedding; a test sets another."""


def GROUP(path: Path) -> str:  # noqa: N802 - a test sets another
    return path.name[:2]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the stand-in was asked to encode; it has the run's own weights as a factor of its codes."""
    specs: list[str] = []

    def encode(job: Any, wanted: list[str]) -> tuple[list[ImageRecord], Any]:
        specs.extend(wanted)
        paths = [
            p for spec in wanted for p in (sorted(Path(spec).glob("*.nii.gz")) if Path(spec).is_dir() else [Path(spec)])
        ]
        factor = json.loads((job.folder.out / "models" / "cae.json").read_text())["factor"]
        if not all(p.exists() for p in paths):
            raise NoInputError("none of these volumes can be encoded")
        codes = np.array([code(p) for p in paths], np.float32)[:, :FEATURES] * factor
        return [record(p, p.name, columns={"label": "new"}, subject=GROUP(p)) for p in paths], codes

    embed = dataclasses.replace(pipeline("embed", "volumes"), encode=encode)
    monkeypatch.setattr(loading, "recorded", lambda command, variant: embed)
    galleries._gallery.cache_clear()
    return specs


@pytest.fixture
def out(tmp_path: Path, asked: list[str], begun_run: Any) -> Path:
    """A run of eight volumes of four subjects, as `run embed --volumes` leaves it."""
    folder = tmp_path / "out"
    records = {}
    for n in range(8):
        path = written(tmp_path / "volumes" / f"s{n // 2}-{n % 2}.nii.gz", n)
        one = record(
            path, path.name, subject=f"s{n // 2}", site=f"site {n % 3}", columns={"label": "AD" if n > 3 else "CN"}
        )
        records[one.id] = one
        frame = Frame(("z", "y", "x"), SHAPE, SPACING)
        store = StoredImage.create(
            folder / "volumes" / f"{one.id}.ome.zarr", ImageSpec((frame,), 1, "int16", SHAPE, SHAPE)
        )
        store.write(0, frame.box, head(n)[None])
        store.finish(name=one.id)
    settings = EmbedSettings().model_dump(mode="json")
    run = begun_run(command="embed", variant="volumes", settings=settings, spacing=1000.0, status="done")
    write_run(Folder(folder), run)
    write_images(Folder(folder), records)
    trained(folder, 1.0)
    return folder


def trained(folder: Path, factor: float) -> None:
    """(Re)train the stand-in: its weights, and the table of codes that it makes of the run's volumes."""
    import anndata
    import pandas as pd

    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / "cae.json").write_text(json.dumps({"sha256": f"weights-{factor}", "factor": factor}))
    records = load(folder).slides.values()
    obs = pd.DataFrame(
        [
            {"id": r.id, "name": r.name, "subject": r.subject, "site": r.site, "label": r.columns["label"]}
            for r in records
        ]
    )
    obs.index = obs["id"].to_numpy()
    codes = np.array([code(r.path) for r in records], np.float32)[:, :FEATURES] * factor
    write_table(folder / "tables" / "volumes.zarr", anndata.AnnData(X=codes, obs=obs))


def brute(out: Path, query: Any, subject: str = "") -> list[str]:
    records = load(out).slides.values()
    away = {
        r.id: np.square(np.float32(code(r.path)) - np.float32(query)).sum() for r in records if r.subject != subject
    }
    return sorted(away, key=lambda i: away[i])


def test_a_case_of_the_run_finds_others_of_other_subjects(out: Path, tmp_path: Path, asked: list[str]) -> None:
    volume = tmp_path / "volumes" / "s1-0.nii.gz"
    for query in ("s1-0", "s1-0.nii.gz", volume):
        hits = tile_engine.search(out, query, k=5)
        assert [h.id for h in hits.rows] == brute(out, code(volume), "s1")[:5]
        assert hits.query.id == "s1-0" and (hits.cases, hits.left_out) == (8, 1)
    assert asked == []
    both = tile_engine.search(out, "s1-0", k=9, same_subject=True)
    assert {h.id for h in both.rows} == set(load(out).slides) - {"s1-0"} and both.left_out == 0


def test_all_that_were_searched_are_found_by_a_large_k(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = written(tmp_path / "new" / "xx-0.nii.gz", 5)
    for query, same in (("s1-0", False), ("s1-0", True), (new, False)):
        hits = tile_engine.search(out, query, k=20, same_subject=same)
        print_hits(hits, None, "", as_json=False)
        said = capsys.readouterr().out.splitlines()[0]
        assert hits.searched == len(hits.rows) and f" among {len(hits.rows)} cases" in said


def test_a_hit_says_what_is_known_of_the_case(out: Path) -> None:
    hit = tile_engine.search(out, "s1-0", k=1).rows[0]
    known = load(out).slides[hit.id]
    assert (hit.name, hit.subject, hit.site, hit.label) == (
        known.name,
        known.subject,
        known.site,
        known.columns["label"],
    )
    assert hit.path == known.path and hit.y_um is None and "y_um" not in hits_told(out)["rows"][0]


def hits_told(out: Path) -> dict[str, Any]:
    return dict(json.loads(tile_engine.search(out, "s1-0", k=1).json()))


def test_a_new_file_is_encoded_by_the_runs_network(out: Path, tmp_path: Path, asked: list[str]) -> None:
    new = written(tmp_path / "new" / "xx-0.nii.gz", 5)
    hits = tile_engine.search(out, new, k=3)
    assert asked == [str(new)] and hits.query.id == "" and hits.left_out == 0
    assert [h.id for h in hits.rows] == brute(out, code(new))[:3] and hits.rows[0].distance == 0
    assert file_name(hits).startswith("new-")


def test_a_new_file_of_a_known_subject_does_not_find_that_subject(out: Path, tmp_path: Path) -> None:
    new = written(tmp_path / "new" / "s2-9.nii.gz", 5)
    hits = tile_engine.search(out, new, k=9)
    assert "s2" not in {h.subject for h in hits.rows} and hits.left_out == 2
    assert tile_engine.search(out, new, k=1, same_subject=True).rows[0].subject == "s2"


def test_a_subject_that_nobody_named_is_nobodys(
    out: Path, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Volumes without a subject are called by their id; in another folder the same name is somebody else."""
    monkeypatch.setattr(sys.modules[__name__], "GROUP", lambda path: path.name.removesuffix(".nii.gz"))
    add(out, written(tmp_path / "p" / "xx.nii.gz", 5))
    hits = tile_engine.search(out, written(tmp_path / "q" / "xx.nii.gz", 5), k=1)
    assert (hits.rows[0].id, hits.query.subject, hits.left_out) == ("s2-1", "", 0)
    assert {h.id for h in tile_engine.search(out, tmp_path / "q" / "xx.nii.gz", k=3).rows} >= {"xx", "s2-1"}


def test_a_folder_is_not_one_query(out: Path, tmp_path: Path) -> None:
    written(tmp_path / "new" / "a.nii.gz", 1)
    written(tmp_path / "new" / "b.nii.gz", 2)
    with pytest.raises(SettingsError, match="matches 2 volumes"):
        tile_engine.search(out, tmp_path / "new")


def test_a_place_means_nothing_where_cases_are_whole_volumes(out: Path) -> None:
    with pytest.raises(SettingsError, match="whole volumes"):
        tile_engine.search(out, "s1-0", at=(1, 2))


def test_added_cases_are_found_and_are_queries_too(out: Path, tmp_path: Path, asked: list[str]) -> None:
    new = written(tmp_path / "new" / "xx-0.nii.gz", 5)
    done = add(out, tmp_path / "new")
    assert (done.added, done.known, done.cases) == (("xx-0.nii.gz",), (), 9)
    asked.clear()
    hits = tile_engine.search(out, new, k=8)
    assert asked == [] and hits.query.id == "xx-0" and hits.query.label == "new"
    assert hits.rows[0].id == "s2-1" and hits.rows[0].distance == 0
    found = tile_engine.search(out, "s0-0", k=9)
    assert [h.id for h in found.rows if h.id != "xx-0"] == brute(out, code(tmp_path / "volumes" / "s0-0.nii.gz"), "s0")
    assert {h.id for h in found.rows} >= {"xx-0", "s2-1"} and found.cases == 9


def test_added_cases_move_nobodys_subject(out: Path, tmp_path: Path) -> None:
    """Subjects are numbered in the order of their names, and the added one comes first."""
    add(out, written(tmp_path / "new" / "a0-0.nii.gz", 5))
    for n in range(4):
        hits = tile_engine.search(out, f"s{n}-0", k=9)
        assert {h.subject for h in hits.rows} == {"a0", "s0", "s1", "s2", "s3"} - {f"s{n}"}
        assert (len(hits.rows), hits.left_out) == (7, 1)
    new = tile_engine.search(out, written(tmp_path / "query" / "s2-9.nii.gz", 5), k=9)
    assert {h.subject for h in new.rows} == {"a0", "s0", "s1", "s3"}


def test_adding_twice_adds_nothing_and_a_changed_file_takes_its_place(out: Path, tmp_path: Path) -> None:
    new = written(tmp_path / "new" / "xx-0.nii.gz", 5)
    add(out, new)
    again = add(out, new)
    assert (again.added, again.known, again.cases) == ((), ("xx-0.nii.gz",), 9)
    written(new, 3)
    changed = add(out, new)
    assert (changed.added, changed.cases) == (("xx-0.nii.gz",), 9)
    assert tile_engine.search(out, "xx-0", k=1).rows[0].id == "s1-1"


def test_an_added_volume_that_the_run_has_later_is_searched_once(out: Path, tmp_path: Path) -> None:
    """With the network of before, and trained anew; other added volumes stay."""
    new = [written(tmp_path / "new" / f"{name}-0.nii.gz", 5) for name in ("xx", "yy")]
    add(out, tmp_path / "new")
    known = load(out).slides
    later = record(new[0], "xx-0.nii.gz", subject="xx", columns={"label": "AD"})
    write_images(Folder(out), {**known, later.id: later})
    for factor in (1.0, 2.0):
        trained(out, factor)
        hits = tile_engine.search(out, "xx-0", k=20)
        assert (hits.cases, hits.left_out, hits.query.label, len(hits.rows)) == (10, 0, "AD", 9)
        assert add(out, new[1]).known == ("yy-0.nii.gz",)


def test_volumes_of_the_run_are_not_added(out: Path, tmp_path: Path) -> None:
    done = add(out, tmp_path / "volumes")
    assert done.added == () and len(done.known) == 8 and not (out / "index" / "added.npz").exists()


@pytest.mark.parametrize("name", ["xx", "s0-0"])
def test_files_of_one_name_all_stay_and_are_of_subjects_of_their_own(
    out: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No list states their subjects; `s0-0` is the name of a case of the run, too."""
    monkeypatch.setattr(sys.modules[__name__], "GROUP", lambda path: path.name.removesuffix(".nii.gz"))
    for n, folder in enumerate("pqr", 1):
        add(out, written(tmp_path / folder / f"{name}.nii.gz", n))
    new = [f"{name}-{n}" for n in range(2, 5)] if name == "s0-0" else [name, f"{name}-2", f"{name}-3"]
    for case in new:
        hits = tile_engine.search(out, case, k=20)
        assert {h.id for h in hits.rows} >= set(new) - {case} and (hits.query.subject, hits.left_out) == ("", 0)


def test_added_cases_stay_when_the_index_is_made_anew(out: Path, tmp_path: Path, asked: list[str]) -> None:
    add(out, written(tmp_path / "new" / "xx-0.nii.gz", 5))
    (out / "index" / "vectors.npy").unlink()
    galleries._gallery.cache_clear()
    asked.clear()
    assert tile_engine.search(out, "xx-0", k=1).rows[0].id == "s2-1" and asked == []


def test_after_training_anew_added_cases_are_encoded_anew(out: Path, tmp_path: Path, asked: list[str]) -> None:
    """Codes of two networks are never compared; a case whose file is gone is left out, and that is said."""
    kept, lost = (written(tmp_path / "new" / f"{n}.nii.gz", s) for n, s in (("xx-0", 5), ("yy-0", 6)))
    add(out, tmp_path / "new")
    lost.unlink()
    trained(out, -3.0)
    asked.clear()
    hits = tile_engine.search(out, "xx-0", k=1, same_subject=True)
    assert asked == [str(kept)] and (hits.rows[0].id, hits.rows[0].distance) == ("s2-1", 0.0)
    assert hits.cases == 9 and "their files are gone" in hits.notes[0]
    assert hits.query.label == "new"
    galleries._gallery.cache_clear()
    asked.clear()
    again = tile_engine.search(out, "xx-0", k=1, same_subject=True)
    assert asked == [] and again == hits, "encoded once, and the lost one is still told"
    add(out, written(lost, 6))
    assert tile_engine.search(out, "yy-0", k=1).rows[0].id == "s3-0"


@pytest.mark.parametrize("kept", [True, False])
def test_a_network_of_longer_embeddings_may_meet_lost_files(
    out: Path, tmp_path: Path, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("xx-0", "yy-0") if kept else ("yy-0",)
    files = [written(tmp_path / "new" / f"{name}.nii.gz", 5) for name in names]
    monkeypatch.setattr(sys.modules[__name__], "FEATURES", 3)
    trained(out, 1.0)
    add(out, tmp_path / "new")
    monkeypatch.setattr(sys.modules[__name__], "FEATURES", 4)
    trained(out, 2.0)
    files[-1].unlink()
    assert len(tile_engine.search(out, "s1-0", k=20).notes) == 1
    done = add(out, written(tmp_path / "late" / "zz-0.nii.gz", 6))
    assert (done.added, done.cases) == (("zz-0.nii.gz",), 8 + len(names))
    assert tile_engine.search(out, "zz-0", k=1).rows[0].distance == 0


def test_files_that_cannot_be_encoded_again_do_not_end_a_search(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(out, written(tmp_path / "new" / "xx-0.nii.gz", 5))
    trained(out, -3.0)

    def none(job: Any, specs: list[str]) -> Any:
        raise NoInputError("none of these volumes can be encoded: xx-0.nii.gz [E_CORRUPT]: it is empty")

    with monkeypatch.context() as damaged:
        damaged.setattr(galleries, "encode", none)
        hits = tile_engine.search(out, "s1-0", k=20)
    assert len(hits.rows) == 6 and "E_CORRUPT" in hits.notes[0] and "cannot be encoded" in hits.notes[1]
    galleries._gallery.cache_clear()
    assert len(tile_engine.search(out, "s1-0", k=20).rows) == 7


def test_a_damaged_file_of_added_cases_is_an_error(out: Path, tmp_path: Path) -> None:
    add(out, written(tmp_path / "new" / "xx-0.nii.gz", 5))
    path = out / "index" / "added.npz"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CorruptError, match=r"added\.npz"):
        tile_engine.search(out, "s1-0")


def test_adding_to_a_folder_that_is_in_use_is_refused(out: Path, tmp_path: Path) -> None:
    new = written(tmp_path / "new" / "xx-0.nii.gz", 5)
    with Lock(out), pytest.raises(LockedError):
        add(out, new)
    assert not (out / "index" / "added.npz").exists()


def test_no_file_of_an_index_is_a_pickle(out: Path, tmp_path: Path) -> None:
    add(out, written(tmp_path / "new" / "xx-0.nii.gz", 5))
    tile_engine.search(out, "xx-0")
    files = sorted((out / "index").iterdir())
    assert [p.name for p in files] == ["added.npz", "columns.npz", "index.json", "vectors.npy"]
    for path in files:
        if path.suffix in (".npy", ".npz"):
            held = np.load(path, allow_pickle=False)
            assert [held[n].dtype.kind for n in held.files] if path.suffix == ".npz" else held.dtype == np.float32


def test_the_picture_has_three_planes_of_each_case_in_true_proportions(out: Path, tmp_path: Path) -> None:
    from tile_engine.engine.search.thumbnails import case_panel

    hits = tile_engine.search(out, written(tmp_path / "new" / "xx-0.nii.gz", 5), k=4)
    shown = case_panel(load(out), hits.rows[0])
    assert [p.name for p in shown.planes] == ["axial", "coronal", "sagittal"]
    assert [p.extent for p in shown.planes] == [(12e3, 8e3), (20e3, 8e3), (20e3, 12e3)]
    assert shown.lines[0] == "distance 0" and f"subject {hits.rows[0].subject}" in shown.lines
    assert picture(hits, tmp_path / "found.png").stat().st_size > 10_000


def test_a_picture_says_which_side_is_right_only_where_all_files_state_it(out: Path, tmp_path: Path) -> None:
    from tile_engine.engine.search.thumbnails import case_panel
    from tile_engine.engine.show.neighbours import figure_of

    def sides(job: Any, *cases: Case) -> int:
        query, *others = (case_panel(job, case) for case in cases)
        return sum("patient's right" in text.get_text() for text in figure_of(query, others).texts)

    job, one, other = load(out), Case("s0-0", "s0-0.nii.gz"), Case("s1-0", "s1-0.nii.gz")
    assert sides(job, one, other) == 1
    note = "its header states no orientation; Right, Anterior, Superior are assumed"
    unstated = {name: dataclasses.replace(job.slides[name], notes=(note,)) for name in ("s1-0",)}
    assert sides(dataclasses.replace(job, slides={**job.slides, **unstated}), one, other) == 0
    np.savez(tmp_path / "new.npz", volume=head(1))
    stated = written(tmp_path / "new.nii.gz", 1)
    new, nifti = (Case("", path.name, path=str(path)) for path in (tmp_path / "new.npz", stated))
    assert (sides(job, new, one), sides(job, nifti, one)) == (0, 1)


def test_up_is_superior_and_anterior_in_a_picture(out: Path) -> None:
    """The volume is brightest at its top, front and right: so are its planes."""
    from tile_engine.engine.search.thumbnails import _planes

    volume = np.fromfunction(lambda c, z, y, x: z * 4 + y * 2 + x + 1, (1, 6, 6, 6)).astype(np.uint16)
    planes = _planes([volume[:, 3], volume[:, :, 3], volume[:, :, :, 3]], Frame(("z", "y", "x"), (6, 6, 6), (1, 1, 1)))
    for plane in planes:
        grey = plane.rgb[..., 0].astype(int)
        assert grey[0, -1] == grey.max() and grey[-1, 0] == grey.min() < grey.max()


def test_a_case_whose_file_is_gone_is_told_without_a_picture(out: Path, tmp_path: Path) -> None:
    new = written(tmp_path / "new" / "xx-0.nii.gz", 5)
    add(out, new)
    new.unlink()
    hits = tile_engine.search(out, "s2-1", k=1)
    assert hits.rows[0].id == "xx-0" and picture(hits).exists()
