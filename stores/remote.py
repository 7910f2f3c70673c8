"""ObjectPath: a path in an object store with the interface of a path on disk, so that all code accepts both.

pathlib handles names, parents and suffixes. Operations that access the store are defined here; any other operation on a
file raises TypeError and never touches a local file of that name.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zlib
from collections.abc import Generator, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PosixPath
from typing import Any

from ..errors import SettingsError
from .bucket import client, request

SCHEME = "s3:/"
"""Prefix of such a path, after pathlib has merged its slashes."""
_SCHEMED = re.compile(r"([a-z][a-z0-9+.-]+):/")


def to_path(given: str | Path) -> Path:
    """The path that a user named: an ObjectPath for s3://bucket/prefix, else a path on disk. Raises SettingsError (E_SCHEME).

    >>> to_path("s3://lab/runs/") / "run.json", to_path("runs").name
    (ObjectPath('s3://lab/runs/run.json'), 'runs')
    """
    scheme = _SCHEMED.match(str(given))
    if scheme is None:
        return Path(given).expanduser()
    if scheme[1] != "s3":
        raise SettingsError(f"{scheme[1]}://... cannot be read: s3:// is the only scheme that is known.", "E_SCHEME")
    path = ObjectPath(os.path.normpath(str(given)))  # a store knows no ".."
    if len(path.parts) < 2 or not str(path).startswith(SCHEME):
        raise SettingsError(f"{str(given)!r} names no bucket: s3://bucket/prefix is needed.", "E_SCHEME")
    if "@" in path.bucket:
        raise SettingsError(
            "an s3:// path must not contain access keys: they would be written into results and logs. Set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.",
            "E_SCHEME",
        )
    return path


def as_list(given: str | Path | Iterable[str | Path]) -> list[str | Path]:
    """Paths of which one may be named without a list.

    >>> as_list("a.svs"), as_list(["a.svs", "b.svs"])
    (['a.svs'], ['a.svs', 'b.svs'])
    """
    return [given] if isinstance(given, str | Path) else list(given)


def absolute(given: str | Path) -> Path:
    """The path that a user named, as an absolute path."""
    return to_path(given).absolute()


class ObjectPath(PosixPath):
    """`s3://bucket/key`. A folder exists if objects lie below it; creating one does nothing."""

    def __str__(self) -> str:
        text = super().__str__()
        return text.replace(SCHEME, SCHEME + "/", 1) if text.startswith(SCHEME) else text

    def __repr__(self) -> str:
        return f"ObjectPath({str(self)!r})"

    def __fspath__(self) -> str:
        raise TypeError(f"{self} lies in an object store and was used as a file on disk")

    @property
    def bucket(self) -> str:
        return self.parts[1]

    @property
    def key(self) -> str:
        return "/".join(self.parts[2:])

    def meta(self) -> dict[str, Any]:
        """Metadata of the object: size, last_modified, e_tag. Raises FileNotFoundError."""
        import obstore

        if not self.key:
            raise FileNotFoundError(2, "a bucket is no object", str(self))
        with request("looked at", str(self)):
            return dict(obstore.head(client(self.bucket), self.key))

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Size and modification time. The store gives whole seconds; the nanoseconds come from the content's tag, so that other
        content has another time."""
        meta = self.meta()
        stamp = int(meta["last_modified"].timestamp()) * 10**9 + zlib.crc32((meta["e_tag"] or "").encode()) % 10**9
        mode = stat.S_IFREG | 0o644
        times = {"st_mtime": stamp / 1e9, "st_mtime_ns": stamp}
        return os.stat_result((mode, 0, 0, 1, 0, 0, meta["size"], 0, stamp // 10**9, 0), times)

    def is_file(self) -> bool:
        try:
            return bool(self.meta())
        except FileNotFoundError:
            return False

    def is_dir(self) -> bool:
        import obstore

        if len(self.parts) < 2:  # the root above all buckets
            return True
        with request("listed", str(self)):
            return any(obstore.list(client(self.bucket), self.key or None, chunk_size=1))

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        return self.is_file() or self.is_dir()

    def is_symlink(self) -> bool:
        return False

    def read_bytes(self) -> bytes:
        import obstore

        with request("read", str(self)):
            return bytes(obstore.get(client(self.bucket), self.key).bytes())

    def read_range(self, length: int, offset: int) -> bytes:
        """`length` bytes from `offset` on."""
        import obstore

        with request("read", str(self)):
            return bytes(obstore.get_range(client(self.bucket), self.key, start=offset, length=length))

    def read_text(self, encoding: str | None = None, errors: str | None = None, newline: str | None = None) -> str:
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def open(self, mode: str = "r", *args: Any, **options: Any) -> Any:
        """Open the object for reading bytes; raises TypeError for any other mode."""
        if mode != "rb":
            raise TypeError(f"{self} is opened for {mode!r}: objects are opened for reading bytes alone")
        return io.BufferedReader(_Ranges(self), 65536)

    def write_bytes(self, data: Any) -> int:
        """Write in one request, so that the object is whole or absent; a killed client leaves no parts."""
        self._put(bytes(data), mode="overwrite")
        return len(data)

    def write_text(self, data: str, *args: Any, **options: Any) -> int:
        return self.write_bytes(data.encode())

    def create(self, data: bytes) -> str:
        """Create the object; returns its tag. Raises FileExistsError."""
        return self._put(data, mode="create")

    def swap(self, data: bytes, tag: str) -> str:
        """Replace the content that has this tag; returns the new tag. Raises FileExistsError for another tag or no object."""
        return self._put(data, mode={"e_tag": tag})

    def _put(self, data: bytes, *, mode: Any) -> str:
        import obstore

        with request("written", str(self)):
            return str(obstore.put(client(self.bucket), self.key, data, mode=mode, use_multipart=False)["e_tag"])

    def unlink(self, missing_ok: bool = False) -> None:
        import obstore

        if not missing_ok:
            self.meta()
        with request("removed", str(self)):
            obstore.delete(client(self.bucket), self.key)

    def listing(self) -> Iterator[tuple[ObjectPath, int]]:
        """Every object below with its size, a thousand per request; an object that stands for this folder is left out."""
        import obstore

        root = ObjectPath(f"{SCHEME}/{self.bucket}")
        with request("listed", str(self)):
            for some in obstore.list(client(self.bucket), self.key or None):
                for meta in some:
                    if meta["path"] != self.key:
                        yield root / meta["path"], int(meta["size"])

    def tags(self) -> Iterator[tuple[str, int, str]]:
        """Key, size and tag of the content of every object below, a thousand per request."""
        import obstore

        with request("listed", str(self)):
            for some in obstore.list(client(self.bucket), self.key or None):
                yield from ((str(meta["path"]), int(meta["size"]), str(meta["e_tag"])) for meta in some)

    def download(self, to: Path) -> None:
        """Copy the object, or all objects below, to a file or folder on disk, in pieces."""
        import obstore

        found = (
            [(self, to)] if self.is_file() else [(p, to / p.relative_to(self).as_posix()) for p, _ in self.listing()]
        )
        for path, target in found:
            target.parent.mkdir(parents=True, exist_ok=True)
            with request("read", str(path)), target.open("wb") as file:
                for piece in obstore.get(client(path.bucket), path.key):
                    file.write(piece)

    def children(self) -> tuple[list[ObjectPath], list[ObjectPath]]:
        """(folders, objects) directly below, sorted."""
        import obstore

        root = ObjectPath(f"{SCHEME}/{self.bucket}")
        with request("listed", str(self)):
            found = obstore.list_with_delimiter(client(self.bucket), self.key or None)
        folders = sorted(root / name for name in found["common_prefixes"])
        return folders, sorted(root / meta["path"] for meta in found["objects"] if meta["path"] != self.key)

    def iterdir(self) -> Generator[ObjectPath, None, None]:
        folders, files = self.children()
        yield from (*folders, *files)

    def rglob(self, pattern: str, **options: Any) -> Generator[ObjectPath, None, None]:
        """Objects below whose names match; folders are never found."""
        yield from (path for path, _ in self.listing() if fnmatchcase(path.name, pattern))

    def glob(self, pattern: str, **options: Any) -> Generator[ObjectPath, None, None]:
        """Children whose names match a pattern without slashes."""
        yield from (path for path in self.iterdir() if fnmatchcase(path.name, pattern))

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: an object needs no folder."""

    def rmdir(self) -> None:
        """Nothing: a folder disappears with its last object."""

    def absolute(self) -> ObjectPath:
        return self

    def resolve(self, strict: bool = False) -> ObjectPath:
        return self

    def expanduser(self) -> ObjectPath:
        return self


class _Ranges(io.RawIOBase):
    """An object as an open file; each read requests its bytes."""

    def __init__(self, path: ObjectPath) -> None:
        self._path, self._at = path, 0
        self._size = int(path.meta()["size"])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = max(0, min(len(buffer), self._size - self._at))
        if length:
            buffer[:length] = self._path.read_range(length, self._at)
            self._at += length
        return length


def real(path: Path) -> str:
    """The canonical text of a path: symbolic links are resolved."""
    return str(path) if isinstance(path, ObjectPath) else os.path.realpath(path)
