"""viewing: the results of a run on a page of this machine, until nobody looks at it any more."""

from __future__ import annotations

import atexit
import html
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import MachineError, SettingsError
from ...stores.remote import ObjectPath, absolute
from ..pipeline.progress import Event, silent
from ..runtime import start as runtime
from ..runtime.options import RunOptions
from ..runtime.stain_folders import join_again

if TYPE_CHECKING:
    from ..view.server import Server

MAX_IDLE_MINUTES = 24 * 60


def serve(
    out: str | Path,
    *,
    idle: float = 60.0,
    port: int = 0,
    read_only: bool = False,
    ready: Callable[[str], None] = lambda url: None,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Serve the page of the results in `out` until nobody has used it for `idle` minutes, or until Ctrl-C.

    `ready` is called once with the page's address, which holds a token; `tell` with lines on names that are still being saved
    or were not, by default on standard error. With `read_only` nothing is written to `out`. Raises SettingsError (E_NO_RUN)
    where `out` holds no run, MachineError where the port is in use, and KeyboardInterrupt where a second Ctrl-C leaves names
    that are not saved.
    """
    if not 0 < idle <= MAX_IDLE_MINUTES:
        raise SettingsError(f"--idle is a number of minutes above 0, at most {MAX_IDLE_MINUTES}; got {idle:g}.")
    if not 0 <= port < 1 << 16:
        raise SettingsError(f"--port is a number from 0 to 65535; got {port}.")
    from ..runtime.signals import ended_by_sigterm

    with ended_by_sigterm(), make_server(out, port=port, read_only=read_only) as server:
        try:
            ready(server.url)
        except KeyboardInterrupt:
            return
        if tell is None:
            server.serve(idle * 60)
        else:
            server.serve(idle * 60, tell)


def make_server(out: str | Path, *, port: int = 0, read_only: bool = False) -> Server:
    """The server of a page, bound to its port and not answering yet; `server.serve(seconds)` does."""
    from ..view.server import Server
    from ..view.viewer import open_viewer

    viewer = open_viewer(out, None if read_only else relabelled)
    try:
        return Server(viewer, port)
    except OSError as error:
        raise MachineError(
            f"port {port} of this machine cannot be used ({error.strerror}): leave --port out."
        ) from error


def write_static(
    out: str | Path, folder: str | Path, report: Callable[[Event], None] = silent, *, columns: Collection[str] = ()
) -> Path:
    """Write the page of slides or volumes, their clusters of all levels, the legend and the plane to `folder`; returns the file
    to open.

    It needs no server, and has no search and no names to save. Of the user's list it has the class, age, sex and site, and the
    columns that `columns` names. Raises SettingsError (E_OUT) where the folder holds files or lies in the results or the input,
    and SettingsError where the run is on films or its list has no such column.
    """
    from ..view.static import write_page
    from ..view.viewer import open_viewer

    target = absolute(folder)
    if isinstance(target, ObjectPath):
        raise SettingsError(f"--static {folder}: the page is written to a folder of this machine.", "E_OUT")
    return write_page(open_viewer(out), target, report, columns=columns)


def relabelled(out: Path, level: int, classes: Path, report: Callable[[Event], None]) -> None:
    """What the page's button to save does: what `relabel` does."""
    runtime.relabel(out, options=RunOptions(report=report), level=level, classes=classes, match=None)
    join_again(out, report)


def open_browser(url: str) -> None:
    """Open an address in the user's browser; nothing on a machine without a screen, where a browser may be of text.

    Other users of the machine see the arguments of its processes: the browser gets a file that only its owner reads, which
    leads to the address, and is removed when this process ends.
    """
    import webbrowser

    if sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        folder = Path(tempfile.mkdtemp(prefix="tile-engine-view-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        page = folder / "open.html"
        page.touch(mode=0o600)
        page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0;url={html.escape(url)}">', "utf-8")
        webbrowser.open(page.as_uri())
