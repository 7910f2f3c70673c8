"""Paths in an object store: what holds of a path on disk holds of them, and what fails is said without the credentials."""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest

from tile_engine.errors import CorruptError, MachineError, SettingsError, TileEngineError, UnfinishedError
from tile_engine.stores import bucket
from tile_engine.stores.array import ArraySpec, StoredArray
from tile_engine.stores.files import bytes_below, free_bytes, read_json, write_json, write_whole
from tile_engine.stores.folder import Folder
from tile_engine.stores.frame import Box
from tile_engine.stores.receipts import Ledger
from tile_engine.stores.remote import ObjectPath, absolute, real, to_path
from tile_engine.stores.sweep import sweep


@pytest.fixture(params=["disk", "object store"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same contract for both."""
    if request.param == "disk":
        return tmp_path / "out"
    return to_path(request.getfixturevalue("lab").url) / "out"


def test_what_was_written_is_there_and_nothing_else(root: Path) -> None:
    names = ["a.json", "deep/er/b.bin", "deep/Fall 7 ü#1%41.txt"]
    for name in names:
        write_whole(root / name, name.encode())
    assert sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()) == sorted(names)
    assert {p.name for p in root.iterdir()} == {"a.json", "deep"}
    assert [p.name for p in (root / "deep").rglob("*.bin")] == ["b.bin"]
    assert [p.name for p in root.glob("*.json")] == ["a.json"]
    assert all((root / name).read_bytes() == name.encode() for name in names)
    assert (root / "deep").is_dir() and not (root / "deep").is_file() and (root / "a.json").is_file()
    assert not (root / "dee").exists() and not (root / "nothing").is_dir()
    assert bytes_below(root) == sum(len(name.encode()) for name in names) and free_bytes(root.parent) > 0
    assert sweep(root) == 0


def test_what_is_missing_is_missing_as_a_file_is(root: Path) -> None:
    for act in (Path.read_bytes, Path.stat, Path.unlink, lambda path: path.open("rb")):
        act = getattr(type(root), act.__name__, act) if isinstance(root, ObjectPath) else act
        with pytest.raises(FileNotFoundError):
            act(root / "nothing")
    (root / "nothing").unlink(missing_ok=True)


def test_a_changed_content_has_another_stamp(root: Path) -> None:
    write_json(root / "run.json", {"a": 1})
    first = (root / "run.json").stat()
    write_json(root / "run.json", {"a": 2})
    second = (root / "run.json").stat()
    assert first.st_size == second.st_size and first.st_mtime_ns != second.st_mtime_ns
    assert read_json(root / "run.json") == {"a": 2}


def test_files_are_read_in_pieces(root: Path) -> None:
    data = bytes(range(256)) * 1000
    write_whole(root / "a.bin", data)
    with (root / "a.bin").open("rb") as file:
        assert file.read(10) == data[:10]
        file.seek(-7, 2)
        assert file.read() == data[-7:] and file.read(5) == b""


def test_shards_come_back_whole_and_in_parts(root: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (3, 100, 90)).astype(np.uint8)
    spec = ArraySpec(values.shape, "uint8", (3, 64, 64), (3, 16, 16), ("c", "y", "x"))
    array = StoredArray.create(root / "a", spec)
    files = [array.write(box, values[box.slices]) for box in spec.shards]
    again = StoredArray.open(root / "a")
    assert (again.read_all() == values).all()
    assert (again.read(Box((0, 60, 60), (3, 70, 70))) == values[:, 60:70, 60:70]).all()
    assert (again.read(Box((0, 3, 3), (3, 5, 4))) == values[:, 3:5, 3:4]).all()
    ledger = Ledger(root, "step", "print")
    ledger.write("slide/0-0", files, seconds={}, facts={"n": 1})
    assert [r.facts for r in ledger.all("slide")] == [{"n": 1}]
    files[0].path.unlink()
    assert Ledger(root, "step", "print").find("slide/0-0") is None
    with pytest.raises(CorruptError, match="missing"):
        again.read_all()


def test_out_is_claimed_and_documents_are_kept(root: Path) -> None:
    folder = Folder(root)
    folder.claim()
    assert folder.read("run") == {} and not list(root.rglob("*"))
    folder.write("run", {"status": "done"})
    assert folder.read("run") == {"status": "done"}


def test_a_path_is_a_value() -> None:
    path = to_path("s3://lab/runs/") / "a" / "b.json"
    assert str(path) == "s3://lab/runs/a/b.json" == path.as_posix() == f"{path}"
    assert isinstance(path, ObjectPath) and isinstance(path.parent, ObjectPath)
    assert pickle.loads(pickle.dumps(path)) == path  # noqa: S301 - it travels to workers
    assert hash(path) == hash(to_path("s3://lab/runs/a/b.json"))
    assert to_path(Path("s3://lab/runs/a/b.json")) == path and absolute(path) == path == path.resolve()
    assert path.relative_to(to_path("s3://lab/runs")).as_posix() == "a/b.json" and real(path) == str(path)
    assert (path.bucket, path.key, path.stem, path.with_suffix(".txt").name) == ("lab", "runs/a/b.json", "b", "b.txt")


@pytest.mark.parametrize("given", ["gs://lab/runs", "https://host/x.svs", "az://a/b", Path("gs://lab/runs")])
def test_other_schemes_are_refused(given: str | Path) -> None:
    with pytest.raises(SettingsError, match=r"s3:// is the only scheme"):
        to_path(given)


@pytest.mark.parametrize("given", ["s3://", "s3://..", "s3://../a/b"])
def test_a_path_without_a_bucket_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match="no bucket"):
        to_path(given)


def test_dots_lead_up_as_they_do_on_a_disk() -> None:
    assert to_path("s3://lab/runs/../slides/./a.svs") == to_path("s3://lab/slides/a.svs")
    assert to_path(to_path("s3://lab/runs") / "../slides") == to_path("s3://lab/slides")


def test_a_path_that_holds_keys_is_refused_without_repeating_them() -> None:
    with pytest.raises(SettingsError, match="AWS_PROFILE") as caught:
        to_path("s3://AKIATEST:a-secret@lab/runs")
    assert "a-secret" not in str(caught.value) and "AKIATEST" not in str(caught.value)


def test_objects_that_stand_for_folders_are_not_in_them(lab: Any) -> None:
    """Consoles and some tools leave an empty object `name/` for each folder."""
    for name in ("a/", "a/deep/", "a/x.bin"):
        put_raw(lab, name)
    a = to_path(lab.url) / "a"
    assert isinstance(a, ObjectPath)
    assert [path.name for path in a.iterdir()] == ["deep", "x.bin"]
    assert not list((a / "deep").iterdir()) and not list((a / "deep").listing())


def test_a_name_that_no_path_can_have_is_named_as_the_cause(lab: Any) -> None:
    put_raw(lab, "odd//x.bin")
    with pytest.raises(MachineError, match="Rename that object"):
        list(to_path(f"{lab.url}/odd").rglob("*"))


def put_raw(lab: Any, key: str) -> None:
    """An object under a name that obstore would not write."""
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{lab.port}")
    client.put_object(Bucket=lab.url.removeprefix("s3://"), Key=key, Body=b"")


@pytest.mark.parametrize(
    "act", [open, Path.touch, lambda p: p.rename("x"), lambda p: p.open("w"), lambda p: p.chmod(1)]
)
def test_nothing_is_done_to_a_local_file_of_that_name(
    act: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match="s3://lab/x"):
        act(to_path("s3://lab/x"))
    assert not list(tmp_path.iterdir())


def test_an_object_is_made_once_and_swapped_only_over_what_was_seen(lab: Any) -> None:
    path = to_path(lab.url) / "lock.json"
    assert isinstance(path, ObjectPath)
    first = path.create(b"one")
    with pytest.raises(FileExistsError):
        path.create(b"two")
    second = path.swap(b"two", first)
    with pytest.raises(FileExistsError):
        path.swap(b"three", first)
    assert path.read_bytes() == b"two" and path.meta()["e_tag"] == second
    path.unlink()
    with pytest.raises(FileExistsError):
        path.swap(b"four", second)
    assert not path.exists()


@contextmanager
def answering(status: int, code: str) -> Iterator[str]:
    """A server that refuses everything, and quotes the credentials as some do."""

    class Handler(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = f"<Error><Code>{code}</Code><AWSAccessKeyId>AKIATESTONLYKEY</AWSAccessKeyId></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = refuse  # noqa: N815 - the server's own names

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "kind", "reason"),
    [
        (403, "AccessDenied", MachineError, "E_STORE_DENIED"),
        (403, "SignatureDoesNotMatch", MachineError, "E_STORE_DENIED"),
        (400, "ExpiredToken", MachineError, "E_STORE_EXPIRED"),
        (404, "NoSuchBucket", MachineError, "E_NO_BUCKET"),
        (400, "InvalidRequest", MachineError, "E_STORE"),
        (503, "SlowDown", UnfinishedError, "E_STORE_BUSY"),
        (500, "InternalError", UnfinishedError, "E_STORE_BUSY"),
    ],
)
@pytest.mark.parametrize("act", [lambda p: write_whole(p, b"x"), lambda p: p.read_bytes(), lambda p: list(p.iterdir())])
def test_a_refusal_is_one_clear_error_without_credentials(
    status: int,
    code: str,
    kind: type[TileEngineError],
    reason: str,
    act: Any,
    lab: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bucket, "MAX_RETRIES", 1)
    monkeypatch.setattr(bucket, "RETRY_TIMEOUT", timedelta(seconds=1))
    with answering(status, code) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        bucket._client.cache_clear()
        with pytest.raises(kind) as caught:
            act(to_path("s3://lab/run"))
    error = caught.value
    assert (
        error.code == reason
        and "s3://lab/run" in error.message
        and (code in error.message or "does not exist" in error.message)
    )
    assert error.__suppress_context__  # a logged trace does not show the store's own words either
    told = f"{error.message} {error!r} {error.__context__!r} {error.__context__} {bucket.client('lab')!r}"
    told += repr(pickle.dumps(error))
    assert "AKIA" not in told and "a-secret-that-nobody-may-see" not in told


def test_a_store_that_is_not_there_is_said_to_be_so(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "MAX_RETRIES", 1)
    monkeypatch.setattr(bucket, "RETRY_TIMEOUT", timedelta(seconds=1))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    bucket._client.cache_clear()
    with pytest.raises(UnfinishedError, match="run the same command again"):
        (to_path("s3://lab/run") / "a").read_bytes()


def test_without_obstore_it_is_said_what_to_install(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    bucket._client.cache_clear()
    with pytest.raises(MachineError, match=r"tile-engine\[s3\]"):
        bucket.client("lab")


def test_keys_of_a_profile_serve_where_the_environment_has_none(
    lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bucket._profile() == {}
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_REGION")
    (tmp_path / "keys").write_text(
        "[default]\naws_access_key_id = A\n[lab]\naws_access_key_id = B\naws_secret_access_key = C\n"
    )
    (tmp_path / "config").write_text("[profile lab]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert bucket._profile() == {}  # half a pair is none
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert bucket._profile() == {"access_key_id": "B", "secret_access_key": "C", "region": "eu-north-1"}
