"""The stage: whole copies, within their bytes, the unused go first, and nobody's copy is taken from under him."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from tile_engine.errors import MachineError, SettingsError, SlideError
from tile_engine.stores import stage as module
from tile_engine.stores.files import write_whole
from tile_engine.stores.frame import Box
from tile_engine.stores.remote import place
from tile_engine.stores.slides.cohort import fingerprint
from tile_engine.stores.slides.reader import open_slide
from tile_engine.stores.stage import Lease, stage, staged, use, used, wanted


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stage for 1,000 bytes."""
    for name in ("TILE_ENGINE_RUN_STAGE", "TILE_ENGINE_RUN_STAGE_LIMIT"):
        monkeypatch.setenv(name, "")  # what `use` leaves is undone at the end
    for name in ("TILE_ENGINE_STAGE", "TILE_ENGINE_STAGE_LIMIT"):
        monkeypatch.delenv(name, raising=False)
    use(tmp_path / "stage", 1e-6)
    return tmp_path / "stage"


def slide(tmp_path: Path, name: str, size: int = 300) -> Path:
    path = tmp_path / "far" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(name.encode().ljust(size, b"."))
    return path


def copies(here: Path) -> set[str]:
    return {path.name for path in here.rglob("*") if path.is_file() and path.suffix not in (".lock", ".look")}


def test_a_copy_is_made_once_and_shared(here: Path, tmp_path: Path) -> None:
    far = slide(tmp_path, "a.svs")
    with staged(far, "1") as first, staged(far, "1") as second:
        assert first == second != far and first.read_bytes() == far.read_bytes()
        assert first.is_relative_to(here) and first.name == "a.svs"
    far.unlink()
    with staged(far, "1") as again:  # it stays when nobody reads it
        assert again.exists()
    with pytest.raises(SlideError, match="moved or deleted"):
        Lease(far, "2")  # another content is another copy
    assert copies(here) == {"a.svs"}


def test_the_least_recently_used_goes_first_and_bytes_stay_bounded(here: Path, tmp_path: Path) -> None:
    for n, name in enumerate("abc"):
        with staged(slide(tmp_path, name), "1") as copy:
            os.utime(here / f"{copy.parent.name}.lock", (n, n))
    with staged(slide(tmp_path, "a"), "1"):
        pass  # used again: now b is the oldest
    with staged(slide(tmp_path, "d"), "1"):
        assert copies(here) == {"a", "c", "d"}
    with staged(slide(tmp_path, "e", 900), "1"):
        assert copies(here) == {"e"}


def test_nothing_stays_of_slides_whose_copies_went(here: Path, tmp_path: Path) -> None:
    """However many slides have passed: looking for room reads all locks."""
    for n in range(10):
        with staged(slide(tmp_path, f"{n}"), "1"):
            pass
    assert len(list(here.glob("*.lock"))) == len(copies(here)) + 1 == 4  # the last one is that of the room


def test_a_copy_in_use_stays_and_room_is_waited_for(here: Path, tmp_path: Path) -> None:
    held = Lease(slide(tmp_path, "a", 600), "1")
    timer = threading.Timer(1.0, held.release)
    timer.start()
    with staged(slide(tmp_path, "b", 600), "1"):
        assert copies(here) == {"b"} and held._lock.closed


def test_where_all_stays_in_use_it_is_said(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    with staged(slide(tmp_path, "a", 600), "1") as copy:
        with pytest.raises(MachineError, match="in use") as caught:
            Lease(slide(tmp_path, "b", 600), "1")
        assert caught.value.code == "E_STAGE_FULL" and "--stage-limit" in caught.value.message and copy.exists()
    with pytest.raises(MachineError, match="--stage-limit"):
        Lease(slide(tmp_path, "c", 1001), "1")
    with staged(slide(tmp_path, "b", 600), "1"):  # what failed left no bytes on the account
        pass


def test_what_another_process_reads_stays_until_it_is_gone(here: Path, tmp_path: Path) -> None:
    far = slide(tmp_path, "a", 600)
    code = (
        "import time; from pathlib import Path; from tile_engine.stores.stage import Lease;"
        f"lease = Lease(Path({str(far)!r}), '1'); print(lease.path, flush=True); time.sleep(60)"
    )
    reader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout is not None
        copy = Path(reader.stdout.readline().strip())
        ledger = here / "other.lock"
        with ledger.open("a+b") as lock:
            assert not module._free(600, lock, stage()) and copy.exists()
            reader.send_signal(signal.SIGKILL)
            reader.wait(30)
            assert module._free(600, lock, stage()) and not copy.exists()
    finally:
        reader.kill()
        reader.communicate()


def test_what_a_killed_fetch_left_is_removed(here: Path, tmp_path: Path) -> None:
    with staged(slide(tmp_path, "a", 300), "1") as copy:
        key = copy.parent.name
    (here / "dead.lock").write_bytes(b"900")
    (here / ".dead.0123abcd.partial").mkdir()
    (here / ".dead.0123abcd.partial" / "half").write_bytes(b"x" * 450)
    os.utime(here / "dead.lock", (1, 1))
    with staged(slide(tmp_path, "b", 300), "1"):
        assert copies(here) == {"a", "b"} and (here / f"{key}.lock").exists()


def test_many_at_once_keep_within_the_bytes(here: Path, tmp_path: Path) -> None:
    names = [f"{n}.svs" for n in range(12)]
    for name in names:
        slide(tmp_path, name, 300)
    most, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.002):
            with contextlib.suppress(FileNotFoundError):  # what is being removed
                most[0] = max(most[0], sum(p.stat().st_size for p in here.rglob("*.svs")))

    def read(name: str) -> None:
        with staged(tmp_path / "far" / name, "1") as copy:
            assert copy.read_bytes() == (tmp_path / "far" / name).read_bytes()
            time.sleep(0.05)

    here.mkdir()
    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=read, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    stop.set()
    watcher.join()
    assert 300 <= most[0] <= 1000 and len(copies(here)) == 3


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, here: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    use(tmp_path / "file" / "stage", 1)
    with pytest.raises(SettingsError, match="--stage"):
        stage()
    use(tmp_path / "stage", None)
    assert used() == {"folder": str(tmp_path / "stage"), "limit": None} and stage().limit > 1000


def test_the_usual_folder_is_ones_own(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can make a folder of that name in a shared temporary one, and put other pixels there."""
    use(None, None)
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    assert stage().folder.parent == tmp_path and stage().folder.stat().st_mode & 0o077 == 0
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    (tmp_path / f"tile-engine-stage-{mine + 1}").mkdir()
    with pytest.raises(SettingsError, match="somebody else"):
        stage()


def test_a_machines_own_word_goes_before_a_runs(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILE_ENGINE_STAGE", str(tmp_path / "scratch"))
    assert stage().folder == tmp_path / "scratch"
    assert wanted(tmp_path / "far" / "a.svs") and not wanted(tmp_path / "scratch" / "key" / "a.svs")


@pytest.mark.parametrize("there", ["disk", "object store"])
def test_slides_of_many_files_are_fetched_whole(here: Path, lab: Any, tmp_path: Path, there: str) -> None:
    """An MRXS slide is its .mrxs file and the folder of that name, a VMS file lists its images; what lies beside stays."""
    use(tmp_path / "stage", 1)
    root = (place(lab.url) if there == "object store" else tmp_path) / "slides"
    vms = b"[Virtual Microscope Specimen]\nImageFile=b.jpg\nMapFile = b_map.jpg\n"
    files = {
        "a.mrxs": b"\xff\xd8\xff", "a/Slidedat.ini": b"[GENERAL]", "a/Data0000.dat": b"0" * 999, "a/deep/x.dat": b"1",
        "b.vms": vms, "b.jpg": b"2", "b_map.jpg": b"3", "c.jpg": b"4", "c.mrxs": b"5", "c/Slidedat.ini": b"6",
        "d.ome.zarr/zarr.json": b"{}", "d.ome.zarr/0/c/0/0": b"7",
    }  # fmt: skip
    for name, content in files.items():
        write_whole(root / name, content)
    if there == "object store":  # what consoles and some tools leave for a folder is no file of it
        bucket, client = lab.url.removeprefix("s3://"), boto3.client("s3", endpoint_url=f"http://127.0.0.1:{lab.port}")
        for name in ("slides/", "slides/a/", "slides/a/deep/", "slides/d.ome.zarr/", "slides/d.ome.zarr/0/"):
            client.put_object(Bucket=bucket, Key=name, Body=b"")
    wanted_of = {
        "a.mrxs": {name for name in files if name.startswith("a")},
        "b.vms": {"b.vms", "b.jpg", "b_map.jpg"},
        "d.ome.zarr": {name for name in files if name.startswith("d")},
    }
    for name, wanted_files in wanted_of.items():
        with staged(root / name, fingerprint(root / name)) as copy:
            beside = copy.parent
            found = {p.relative_to(beside).as_posix(): p.read_bytes() for p in beside.rglob("*") if p.is_file()}
            assert found == {n: files[n] for n in wanted_files} and copy.name == name


def test_a_slide_in_a_bucket_reads_as_it_does_on_disk(here: Path, lab: Any, data: Path, tmp_path: Path) -> None:
    use(tmp_path / "stage", 1)
    source = data / "wsi" / "CMU-1-Small-Region.svs"
    far = place(lab.url) / "Fälle 1" / source.name
    write_whole(far, source.read_bytes())
    with open_slide(source) as wanted_slide, open_slide(far) as found:
        box = Box((100, 200), (400, 700))
        assert found.frames == wanted_slide.frames and (found.read(box) == wanted_slide.read(box)).all()
    before = fingerprint(far)
    write_whole(far, source.read_bytes() + b"x")
    assert fingerprint(far) != before
    far.unlink()
    with pytest.raises(SlideError) as caught:
        open_slide(far)
    assert caught.value.code == "E_MISSING"
