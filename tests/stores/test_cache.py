"""The cache: whole copies, within their bytes, the unused go first, nobody's copy is taken from under him, and nothing that is
not ours is ever removed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from tile_engine.errors import MachineError, SettingsError, SlideError
from tile_engine.stores import cache as module
from tile_engine.stores.cache import Lease, cache, cache_settings, cached, is_copied, use_cache, with_cache_settings
from tile_engine.stores.cache_folder import TAG_NAME, TAG_TEXT
from tile_engine.stores.files import write_whole
from tile_engine.stores.frame import Box
from tile_engine.stores.remote import to_path
from tile_engine.stores.slides.file_marks import fingerprint
from tile_engine.stores.slides.reader import open_slide


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for 1,000 bytes."""
    for name in ("TILE_ENGINE_RUN_CACHE_DIR", "TILE_ENGINE_RUN_CACHE_LIMIT"):
        monkeypatch.setenv(name, "")  # what `use` leaves is undone at the end
    for name in ("TILE_ENGINE_CACHE_DIR", "TILE_ENGINE_CACHE_LIMIT"):
        monkeypatch.delenv(name, raising=False)
    use_cache(tmp_path / "scratch", 1e-6)
    return cache().folder


DEAD = "0123456789abcdef0123"
"""A key of which only a lock is left."""


def slide(tmp_path: Path, name: str, size: int = 300) -> Path:
    path = tmp_path / "far" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(name.encode().ljust(size, b"."))
    return path


def copies(here: Path) -> set[str]:
    return {path.name for path in here.rglob("*") if path.is_file() and path.suffix not in (".lock", ".look", ".TAG")}


def test_a_copy_is_made_once_and_shared(here: Path, tmp_path: Path) -> None:
    far = slide(tmp_path, "a.svs")
    with cached(far, "1") as first, cached(far, "1") as second:
        assert first == second != far and first.read_bytes() == far.read_bytes()
        assert first.is_relative_to(here) and first.name == "a.svs"
    far.unlink()
    with cached(far, "1") as again:  # it stays when nobody reads it
        assert again.exists()
    with pytest.raises(SlideError, match="moved or deleted"):
        Lease(far, "2")  # another content is another copy
    assert copies(here) == {"a.svs"}


def test_the_least_recently_used_goes_first_and_bytes_stay_bounded(here: Path, tmp_path: Path) -> None:
    for n, name in enumerate("abc"):
        with cached(slide(tmp_path, name), "1") as copy:
            os.utime(here / f"{copy.parent.name}.lock", (n, n))
    with cached(slide(tmp_path, "a"), "1"):
        pass  # used again: now b is the oldest
    with cached(slide(tmp_path, "d"), "1"):
        assert copies(here) == {"a", "c", "d"}
    with cached(slide(tmp_path, "e", 900), "1"):
        assert copies(here) == {"e"}


def test_nothing_stays_of_slides_whose_copies_went(here: Path, tmp_path: Path) -> None:
    """However many slides have passed: looking for room reads all locks."""
    for n in range(10):
        with cached(slide(tmp_path, f"{n}"), "1"):
            pass
    assert len(list(here.glob("*.lock"))) == len(copies(here)) + 1 == 4  # the last one is that of the room


def test_a_copy_in_use_stays_and_room_is_waited_for(here: Path, tmp_path: Path) -> None:
    held = Lease(slide(tmp_path, "a", 600), "1")
    timer = threading.Timer(1.0, held.release)
    timer.start()
    with cached(slide(tmp_path, "b", 600), "1"):
        assert copies(here) == {"b"} and held._lock.closed


def test_where_all_stays_in_use_it_is_said(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOM_WAIT_SECONDS", 1.0)
    with cached(slide(tmp_path, "a", 600), "1") as copy:
        with pytest.raises(MachineError, match="in use") as caught:
            Lease(slide(tmp_path, "b", 600), "1")
        assert caught.value.code == "E_CACHE_FULL" and "--cache-limit" in caught.value.message and copy.exists()
    with pytest.raises(MachineError, match="--cache-limit"):
        Lease(slide(tmp_path, "c", 1001), "1")
    with cached(slide(tmp_path, "b", 600), "1"):  # what failed left no bytes on the account
        pass


def test_what_another_process_reads_stays_until_it_is_gone(here: Path, tmp_path: Path) -> None:
    far = slide(tmp_path, "a", 600)
    code = (
        "import time; from pathlib import Path; from tile_engine.stores.cache import Lease;"
        f"lease = Lease(Path({str(far)!r}), '1'); print(lease.path, flush=True); time.sleep(60)"
    )
    reader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout is not None
        copy = Path(reader.stdout.readline().strip())
        ledger = here / f"{DEAD}.lock"
        with ledger.open("a+b") as lock:
            assert not module._free(600, lock, cache()) and copy.exists()
            reader.send_signal(signal.SIGKILL)
            reader.wait(30)
            assert module._free(600, lock, cache()) and not copy.exists()
    finally:
        reader.kill()
        reader.communicate()


def test_what_a_killed_fetch_left_is_removed(here: Path, tmp_path: Path) -> None:
    with cached(slide(tmp_path, "a", 300), "1") as copy:
        key = copy.parent.name
    (here / f"{DEAD}.lock").write_bytes(b"900")
    (here / f".{DEAD}.0123abcd.partial").mkdir()
    (here / f".{DEAD}.0123abcd.partial" / "half").write_bytes(b"x" * 450)
    os.utime(here / f"{DEAD}.lock", (1, 1))
    with cached(slide(tmp_path, "b", 300), "1"):
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
        with cached(tmp_path / "far" / name, "1") as copy:
            assert copy.read_bytes() == (tmp_path / "far" / name).read_bytes()
            time.sleep(0.05)

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
    use_cache(tmp_path / "file" / "below", 1)
    with pytest.raises(SettingsError, match="--cache-dir"):
        cache()
    use_cache(tmp_path / "scratch", None)
    assert cache_settings() == {"folder": str(tmp_path / "scratch"), "limit": None} and cache().limit > 1000


def test_the_usual_folder_is_ones_own(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can make a folder of that name in a shared temporary one, and put other pixels there."""
    use_cache(None, None)
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    assert cache().folder.parent == tmp_path and cache().folder.stat().st_mode & 0o077 == 0
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    (tmp_path / f"tile-engine-cache-{mine + 1}").mkdir()
    (tmp_path / f"tile-engine-cache-{mine + 1}" / TAG_NAME).write_bytes(TAG_TEXT)
    with pytest.raises(SettingsError, match="another user"):
        cache()


def test_a_machines_own_word_goes_before_a_runs(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILE_ENGINE_CACHE_DIR", str(tmp_path / "disk"))
    assert cache().folder.parent == tmp_path / "disk"
    assert is_copied(tmp_path / "far" / "a.svs") and not is_copied(cache().folder / "key" / "a.svs")


@pytest.mark.parametrize("there", ["disk", "object store"])
def test_slides_of_many_files_are_fetched_whole(here: Path, lab: Any, tmp_path: Path, there: str) -> None:
    """An MRXS slide is its .mrxs file and the folder of that name, a VMS file lists its images; what lies beside stays."""
    use_cache(tmp_path / "scratch", 1)
    root = (to_path(lab.url) if there == "object store" else tmp_path) / "slides"
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
        with cached(root / name, fingerprint(root / name)) as copy:
            beside = copy.parent
            found = {p.relative_to(beside).as_posix(): p.read_bytes() for p in beside.rglob("*") if p.is_file()}
            assert found == {n: files[n] for n in wanted_files} and copy.name == name


def test_a_slide_in_a_bucket_reads_as_it_does_on_disk(here: Path, lab: Any, data: Path, tmp_path: Path) -> None:
    use_cache(tmp_path / "scratch", 1)
    source = data / "wsi" / "CMU-1-Small-Region.svs"
    far = to_path(lab.url) / "Fälle 1" / source.name
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


def filled(here: Path, tmp_path: Path) -> None:
    """Make room for a slide that takes all of it: whatever may be removed goes."""
    with cached(slide(tmp_path, "large", 1000), "1"):
        assert copies(here) >= {"large"}


def neighbours(folder: Path) -> dict[Path, bytes]:
    """Things of the user with names like ours, the oldest first to go."""
    planted = {
        "paper.lock": b"900",
        "paper/thesis.txt": b"mine",
        "a.lock": b"",
        "a/b/c.txt": b"mine",
        f"{DEAD}x.lock": b"900",
        f"{DEAD.upper()}.lock": b"900",
        f"{DEAD.upper()}/thesis.txt": b"mine",
        ".paper.0123abcd.partial": b"mine",
        ".paper.0123abcd.partial.d/x": b"mine",
        f".{DEAD}.1234.partial/x": b"mine",
    }
    files = {folder / name: data for name, data in planted.items()}
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (1, 1))
    return files


def survive(files: dict[Path, bytes]) -> None:
    assert not [str(path) for path, data in files.items() if not path.exists() or path.read_bytes() != data]


def test_what_is_not_ours_stays_however_short_room_is(here: Path, tmp_path: Path) -> None:
    """Beside our folder, and in it."""
    files = neighbours(here) | neighbours(here.parent) | {here.parent / f"{DEAD}.lock": b"900"}
    files |= {here.parent / DEAD / "x.txt": b"mine"}
    for path in (here.parent / f"{DEAD}.lock", here.parent / DEAD / "x.txt"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(files[path])
    with cached(slide(tmp_path, "a", 900), "1"):
        pass
    filled(here, tmp_path)
    assert "a" not in copies(here)
    survive(files)


def test_a_link_is_never_followed_to_remove_or_to_write(here: Path, tmp_path: Path) -> None:
    files = neighbours(tmp_path / "mine")
    (here / DEAD).symlink_to(tmp_path / "mine")
    (here / f"{DEAD}.lock").write_bytes(b"900")
    (here / f".{DEAD}.0123abcd.partial").symlink_to(tmp_path / "mine")
    (here / f"{DEAD[::-1]}.lock").symlink_to(tmp_path / "mine" / "paper.lock")
    filled(here, tmp_path)
    survive(files)
    with cached(slide(tmp_path, "a"), "1") as copy:
        lock = here / f"{copy.parent.name}.lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "mine" / "paper.lock")
    with pytest.raises(SettingsError, match="symbolic link") as caught:
        Lease(slide(tmp_path, "a"), "1")
    assert caught.value.code == "E_CACHE"
    survive(files)


def test_copies_lie_in_a_marked_folder_of_our_own(here: Path, tmp_path: Path) -> None:
    """Whatever else is in the folder that was named; an empty one of our name is taken, and one with other things never."""
    assert (
        here == tmp_path / "scratch" / f"tile-engine-cache-{os.getuid()}" and (here / TAG_NAME).read_bytes() == TAG_TEXT
    )
    own = tmp_path / "other" / here.name
    own.mkdir(parents=True)
    use_cache(tmp_path / "other", 1)
    assert cache().folder == own and [p.name for p in own.iterdir()] == [TAG_NAME]
    (own / TAG_NAME).unlink()
    files = neighbours(own)
    with pytest.raises(SettingsError, match="no cache of tile-engine's") as caught:
        cache()
    assert caught.value.code == "E_CACHE" and [p.name for p in own.parent.iterdir()] == [own.name]
    survive(files)


@pytest.mark.parametrize("mark", [b"", b"Signature: 8a477f597d28d172789f06886806bc55\n"])
def test_another_programs_mark_is_not_ours(here: Path, tmp_path: Path, mark: bytes) -> None:
    (here / TAG_NAME).write_bytes(mark)
    with pytest.raises(SettingsError, match="no cache of tile-engine's"):
        cache()


def test_a_link_to_a_folder_is_no_cache(here: Path, tmp_path: Path) -> None:
    """Not even to one that is marked."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / here.name).symlink_to(here)
    use_cache(tmp_path / "other", 1)
    with pytest.raises(SettingsError, match="no cache of tile-engine's"):
        cache()


def test_many_that_begin_at_once_find_one_cache(tmp_path: Path, here: Path) -> None:
    use_cache(tmp_path / "new", 1)
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: cache().folder, range(64)))
    assert len(found) == 1 and [p.name for p in (tmp_path / "new").iterdir()] == [here.name]


def test_a_task_elsewhere_is_told_where_copies_lie(here: Path, tmp_path: Path) -> None:
    told = with_cache_settings(used_by)
    use_cache(None, None)
    assert told("unit") == ("unit", {"folder": str(tmp_path / "scratch"), "limit": 1e-6})


def used_by(unit: str) -> tuple[str, dict[str, Any]]:
    return unit, cache_settings()
