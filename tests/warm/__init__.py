"""warm: commands of tile-engine start in a moment, in processes of their own, from a server that has imported what they need.

```text
test -- request, stdin, stdout, stderr -->  server (has imported, has computed nothing)
     <-- process id ----------------------     |-- fork --> child: the command, with its own id, signals and exit status
     <-- wait status ---------------------     |
```

`installed()` puts `Popen` in the place of `subprocess.Popen`. Commands that begin with the words of `STARTED_WARM` start warm;
all others start as ever, and so does a command whose environment differs in a variable that libraries read while they are
imported (a planted `PYTHONPATH`, say), or that says COLD=1 in its environment.
"""

from __future__ import annotations

import atexit
import inspect
import json
import multiprocessing.util
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STARTED_WARM = (("-m", "tile_engine.cli"), ("-P", "-m", "tile_engine.engine.workers.child"), ("-m", "dask"))
"""What follows the interpreter in commands that the server starts."""
READ_AT_IMPORT = (
    "PYTHON",
    "OMP_",
    "MKL_",
    "OPENBLAS_",
    "NUMBA_",
    "TORCH_",
    "DASK_",
    "MPL",
    "LD_PRELOAD",
    "LC_",
    "LANG",
    "TZ",
)
"""Beginnings of the names of variables that libraries read while they are imported."""
COLD = "TILE_ENGINE_TESTS_COLD"
"""Where this variable is set, a command and all that it starts begin as they do outside tests."""
LENGTH = struct.Struct("!I")
STATUS = struct.Struct("!ii")
"""Answers of the server: 0 and the process id, then 1 and the wait status."""
HERE = Path(__file__).parent
MOST_FILES = 16
"""That one request may hand over."""
ColdPopen: Any = subprocess.Popen
cold_spawn: Any = multiprocessing.util.spawnv_passfds  # type: ignore[attr-defined]


class Server:
    """The server of this process, started when it is first asked for; it ends with the process."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="warm-"))
        self.environment = dict(os.environ)
        self._process: Any = None
        self._lock = threading.Lock()
        atexit.register(self.end)

    def address(self) -> str:
        """The path of its socket."""
        with self._lock:
            if self._process is None:
                self._start()
        return str(self.folder / "socket")

    def _start(self) -> None:
        address = str(self.folder / "socket")
        self._make_shims(address)
        with socket.socket(socket.AF_UNIX) as listener, (self.folder / "log").open("wb") as log:
            listener.bind(address)
            listener.listen(64)
            self._lifeline, theirs = socket.socketpair()
            with theirs:
                self._process = ColdPopen(
                    [sys.executable, str(HERE / "server.py"), str(listener.fileno()), address],
                    stdin=theirs,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    pass_fds=[listener.fileno()],
                    env=self.environment,
                )

    def end(self) -> None:
        """End the server and whatever it still runs."""
        atexit.unregister(self.end)
        if self._process is not None:
            self._lifeline.close()
            self._process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def shims(self) -> Path:
        """A folder for PATH, with `tile-engine` and `warm-python -c PROGRAM` that start warm."""
        self.address()
        return self.folder / "bin"

    def _make_shims(self, address: str) -> None:
        folder = self.folder / "bin"
        folder.mkdir()
        text = (HERE / "shim.py").read_text().replace("ADDRESS", address)
        for name in ("tile-engine", "warm-python", "warm-spawn"):
            (folder / name).write_text(f"#!{sys.executable} -IS\n{text}")
            (folder / name).chmod(0o755)


def begin(address: str, request: dict[str, Any], files: Sequence[int]) -> tuple[socket.socket, int]:
    """Start a command: the connection on which its wait status will come, and its process id."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
        raw = json.dumps(request).encode()
        socket.send_fds(connection, [LENGTH.pack(len(raw))], list(files))
        connection.sendall(raw)
        return connection, answer(connection)
    except BaseException:
        connection.close()
        raise


def answer(connection: socket.socket) -> int:
    """What the server says next: the process id first, the wait status then."""
    raw = connection.recv(STATUS.size, socket.MSG_WAITALL)
    if len(raw) < STATUS.size:
        raise ConnectionError("the server of warm commands ended; its log lies beside its socket")
    return int(STATUS.unpack(raw)[1])


def starts_warm(words: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Whether the server can start what `subprocess.Popen` was asked for and gives it what a cold start gives."""
    arguments, ours = words["args"], dict(words["env"] or os.environ)
    if not isinstance(arguments, list) or list(arguments[:1]) != [sys.executable] or words["shell"] or COLD in ours:
        return False
    if not any(tuple(arguments[1 : 1 + len(start)]) == start for start in STARTED_WARM):
        return False
    if words["preexec_fn"] or words["pass_fds"] or words["uid"] is not None or words["umask"] >= 0:
        return False
    return read_at_import(ours) == read_at_import(environment)


def read_at_import(environment: Mapping[str, str]) -> dict[str, str]:
    """But for the seed of hashes, which dask sets for its workers, to one for all: those that start warm have the server's."""
    seed = "PYTHONHASHSEED"
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_IMPORT) and name != seed}


class Popen(ColdPopen):  # type: ignore[misc]
    """`subprocess.Popen` whose process comes from the server where it can."""

    address: Callable[[], str]
    environment: Mapping[str, str] = {}
    _connection: socket.socket | None = None
    _status: int | None = None

    def _execute_child(self, *arguments: Any) -> None:
        words = inspect.signature(ColdPopen._execute_child).bind(self, *arguments).arguments
        if not starts_warm(words, self.environment):
            super()._execute_child(*arguments)
            return
        try:
            request = {
                "arguments": [str(word) for word in words["args"]],
                "cwd": os.path.abspath(words["cwd"] or "."),  # noqa: PTH100 - the folder may be a link
                "environment": dict(words["env"] or os.environ),
                "session": bool(words["start_new_session"]),
                "numbers": [0, 1, 2],
            }
            ends = [words[name] for name in ("p2cread", "c2pwrite", "errwrite")]
            files = [number if end == -1 else end for number, end in enumerate(ends)]
            self._connection, self.pid = begin(type(self).address(), request, files)
            self._child_created = True
        finally:
            names = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
            self._close_pipe_fds(*(words[name] for name in names))

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self._connection is None:
            found: tuple[int, int] = super()._try_wait(wait_flags)
            return found
        self._connection.setblocking(not wait_flags & os.WNOHANG)
        try:
            status = answer(self._connection)
        except BlockingIOError:
            return 0, 0
        self._connection.close()
        return self.pid, status

    def _internal_poll(self, _deadstate: int | None = None, **options: Any) -> int | None:
        if self._connection is None:
            return super()._internal_poll(_deadstate, **options)  # type: ignore[no-any-return]
        if self.returncode is None and self._waitpid_lock.acquire(False):
            try:
                if self.returncode is None:
                    pid, status = self._try_wait(os.WNOHANG)
                    if pid:
                        self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode  # type: ignore[no-any-return]


def spawn(path: Any, arguments: Sequence[Any], files: Sequence[int]) -> int:
    """`spawnv_passfds` of multiprocessing, which dask starts its workers with: a small process that is one's child stands for
    the worker, passes signals on to it and ends as it does."""
    words = [os.fsdecode(word) for word in arguments]
    like_ours = read_at_import(os.environ) == read_at_import(Popen.environment)
    if "--multiprocessing-fork" not in words or COLD in os.environ or not like_ours:
        return int(cold_spawn(path, arguments, files))
    shim = Path(Popen.address()).parent / "bin" / "warm-spawn"
    numbers = ",".join(map(str, files))
    return int(cold_spawn(path, [words[0], "-IS", str(shim), numbers, *words[1:]], files))


def install(address: Callable[[], str], environment: Mapping[str, str]) -> None:
    """From now on `subprocess.Popen`, and multiprocessing where it spawns, start warm where they can."""
    Popen.address, Popen.environment = staticmethod(address), environment
    subprocess.Popen = Popen  # type: ignore[misc]
    multiprocessing.util.spawnv_passfds = spawn  # type: ignore[attr-defined]


@contextmanager
def installed() -> Iterator[Server]:
    """Within, commands of tile-engine start warm in this process and in all that it starts warm."""
    server = Server()
    install(server.address, server.environment)
    try:
        yield server
    finally:
        subprocess.Popen = ColdPopen  # type: ignore[misc]
        multiprocessing.util.spawnv_passfds = cold_spawn  # type: ignore[attr-defined]
        server.end()
