"""The server of warm commands: imports, computes nothing, and forks a child for every request."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import json
import multiprocessing.process
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import struct
import sys
import tempfile
import threading
import types
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).parents[1])
import warm  # noqa: E402 - it lies beside this file

LIBRARIES = (
    *(
        "numpy",
        "scipy.sparse",
        "torch",
        "zarr",
        "dask",
        "distributed",
        "distributed.nanny",
        "anndata",
        "pandas",
        "xarray",
    ),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "sklearn.neighbors", "skimage.measure", "cv2"),
    *("umap", "shapely", "safetensors.torch", "tifffile", "imagecodecs", "openslide", "nibabel", "rich.progress"),
)
PEER = struct.Struct("3i")
"""Ids of who is at the other end of a socket: of the process, its user and its group."""
ASIDE = 500
"""Numbers of files from here on are nobody's."""
PACKAGES = ("tile_engine.cli", "tile_engine.engine", "tile_engine.models", "tile_engine.stores")


def import_all() -> dict[str, str]:
    """Import what commands need; variables that imports set in the environment."""
    before = dict(os.environ)
    for package in PACKAGES:  # before the libraries: what a room sets in the environment, they read
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in LIBRARIES:
        importlib.import_module(name)
    return {name: value for name, value in os.environ.items() if before.get(name) != value}


@dataclass
class Command:
    """A child, and who asked for it."""

    connection: socket.socket
    pid: int
    handle: int
    """Readable once the child has ended."""


class Children:
    """The server's loop. `serve` returns in a child alone: with its request, all files of the server closed."""

    def __init__(self, listener: socket.socket, lifeline: socket.socket) -> None:
        self.listener, self.lifeline = listener, lifeline
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)
        self.selector.register(lifeline, selectors.EVENT_READ)
        self.running: dict[int, Command] = {}
        """By file descriptor: of the connection, and of the child's handle."""

    def serve(self) -> dict[str, Any]:
        while True:
            ready = {key.fd for key, _ in self.selector.select()}
            if self.lifeline.fileno() in ready:
                self.end()
            for file in ready & set(self.running):
                if file in self.running:
                    self.look(self.running[file])
            if self.listener.fileno() in ready:
                request = self.accept()
                if request is not None:
                    return request

    def look(self, command: Command) -> None:
        """A child has ended, or nobody waits for it any more."""
        ended = os.waitid(os.P_PIDFD, command.handle, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            os.kill(command.pid, signal.SIGKILL)
            ended = os.waitid(os.P_PIDFD, command.handle, os.WEXITED | os.WNOWAIT)
        status = ended.si_status << 8 if ended.si_code == os.CLD_EXITED else ended.si_status
        with contextlib.suppress(OSError):  # before the child is gone: its id cannot be another's yet
            command.connection.sendall(warm.STATUS.pack(1, status))
        os.waitpid(command.pid, 0)
        self.forget(command)

    def forget(self, command: Command) -> None:
        for file in (command.connection.fileno(), command.handle):
            self.selector.unregister(file)
            del self.running[file]
        command.connection.close()
        os.close(command.handle)

    def accept(self) -> dict[str, Any] | None:
        """Fork for a request. Returns it in the child, None in the server."""
        connection, _ = self.listener.accept()
        files: list[int] = []
        try:
            raw, files, _, _ = socket.recv_fds(connection, warm.LENGTH.size, warm.MOST_FILES)
            length = warm.LENGTH.unpack(raw)[0]
            request: dict[str, Any] = json.loads(connection.recv(length, socket.MSG_WAITALL))
        except (OSError, ValueError):  # who asked has ended
            connection.close()
            for file in files:
                os.close(file)
            return None
        pid = os.fork()
        if pid == 0:
            aside = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, ASIDE) for file in files]
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
            request["parent"] = PEER.unpack(peer)[0]
            self.close(connection, files)
            for file, number in zip(aside, request["numbers"], strict=True):
                os.dup2(file, number)
                os.close(file)
            return request
        for file in files:
            os.close(file)
        command = Command(connection, pid, os.pidfd_open(pid))
        for file in (connection.fileno(), command.handle):
            self.selector.register(file, selectors.EVENT_READ)
            self.running[file] = command
        with contextlib.suppress(OSError):  # the next look finds nobody there
            connection.sendall(warm.STATUS.pack(0, pid))
        return None

    def close(self, connection: socket.socket, files: list[int]) -> None:
        """In the child: nothing of the server stays open."""
        self.selector.close()
        for command in {command.pid: command for command in self.running.values()}.values():
            command.connection.close()
            os.close(command.handle)
        for end in (connection, self.listener):
            end.close()
        self.lifeline.detach()  # its file becomes the child's stdin
        for file in files:
            os.close(file)

    def end(self) -> None:
        for command in {command.pid: command for command in self.running.values()}.values():
            os.kill(command.pid, signal.SIGKILL)
            os.waitpid(command.pid, 0)
        os._exit(0)


def open_streams() -> None:
    """Python's streams anew: those of the server know what its own files were, which were no terminals or pipes."""
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        ours = getattr(sys, name)
        binary = open(number, "wb" if number else "rb", 0 if number and unbuffered else -1, closefd=False)  # noqa: SIM115
        getattr(binary, "raw", binary).name = f"<{name}>"
        stream = io.TextIOWrapper(
            binary,  # type: ignore[arg-type]
            encoding=ours.encoding,
            errors=ours.errors,
            newline="\n" if number else None,
            line_buffering=not unbuffered and (os.isatty(number) or name == "stderr"),
            write_through=unbuffered,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def become(request: dict[str, Any], set_by_imports: dict[str, str]) -> None:
    """In the child: be what `python ARGUMENTS` would be."""
    import numpy
    import torch

    if request["session"]:
        os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update({**set_by_imports, **request["environment"]})
    parent = request["parent"]  # who asked: to the command, the process that started it
    os.getppid = lambda: parent if Path(f"/proc/{parent}").exists() else 1
    signal.signal(signal.SIGINT, signal.default_int_handler)
    open_streams()
    tempfile.tempdir = None
    numpy.random.seed()  # what nobody has seeded differs from process to process
    torch.default_generator.seed()
    multiprocessing.process.ORIGINAL_DIR = request["cwd"]
    arguments = request["arguments"]
    sys.orig_argv = arguments
    first = next(place for place, word in enumerate(arguments) if word in ("-c", "-m"))
    kind, what, *rest = arguments[first:]
    if safe_path := "-P" in arguments[:first]:
        del sys.path[0]
    if kind == "-c":
        sys.argv = ["-c", *rest]
        sys.path[0] = ""
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), vars(sys.modules["__main__"]))
        return
    sys.argv = [what, *rest]
    if not safe_path:
        sys.path[0] = request["cwd"]
    warnings.filterwarnings("ignore", message=".*found in sys.modules after import", category=RuntimeWarning)
    runpy.run_module(what, run_name="__main__", alter_sys=True)


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    lifeline = socket.socket(fileno=0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the test's to answer, which then ends the server
    set_by_imports = import_all()
    environment = {name: value for name, value in os.environ.items() if name not in set_by_imports}
    gc.collect()
    gc.freeze()
    warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork", category=DeprecationWarning)
    request = Children(listener, lifeline).serve()
    address = sys.argv[2]
    warm.install(lambda: address, environment)
    try:
        become(request, set_by_imports)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        leave(end.code or 0)
    leave(0)


def leave(status: int) -> None:
    """End as Python does, but for taking thousands of imported modules to pieces, which takes half a second."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


main()
