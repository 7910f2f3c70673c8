"""view: the command that shows the results of a run on a page of this machine's browser."""

from __future__ import annotations

from typing import Annotated

import typer

from ..engine.pipeline.option import READ, WRITE
from .from_settings import AsJson, OutArgument
from .say import say

IDLE_MINUTES = 60.0
"""Minutes that the viewer waits for somebody who uses its page, unless another number is given."""
STOPPED = "stopped; nothing of the page was left: run the same command again."
"""What is said where the writing of a page is interrupted."""

Idle = Annotated[
    float,
    typer.Option(
        "--idle", metavar="MINUTES", help="Stop when nobody has used the page for so long.", rich_help_panel=READ
    ),
]
Port = Annotated[int, typer.Option("--port", help="Port of this machine; 0 for any free one.", rich_help_panel=READ)]
Browser = Annotated[
    bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.", rich_help_panel=READ)
]
ReadOnly = Annotated[
    bool, typer.Option("--read-only", help="Write nothing: names of clusters cannot be saved.", rich_help_panel=WRITE)
]
Static = Annotated[
    str | None,
    typer.Option(
        "--static",
        metavar="FOLDER",
        help="Write a page of slides or volumes and what the run found to this folder, which opens without tile-engine, and "
        "stop, without a viewer or a browser.",
        rich_help_panel=WRITE,
    ),
]
Columns = Annotated[
    str,
    typer.Option(
        "--columns",
        metavar="A,B",
        help="With --static: columns of the list that go along, beside class, age, sex and site.",
        show_default=False,
        rich_help_panel=WRITE,
    ),
]


def view(
    out: OutArgument,
    idle: Idle = IDLE_MINUTES,
    port: Port = 0,
    browser: Browser = True,
    read_only: ReadOnly = False,
    static: Static = None,
    columns: Columns = "",
    json: AsJson = False,
) -> int:
    """Show the results of a run on a page: images with what was found, the plane of tiles, images or subjects, similar ones.

    The page is for this machine alone; its address holds a token. Ctrl-C ends it.

    Example: `tile-engine view results/`"""
    from ..engine.api import viewing
    from ..errors import SettingsError
    from .display import watched
    from .tell import print_json

    named = [name.strip() for name in columns.split(",") if name.strip()]
    if named and static is None:
        raise SettingsError("--columns says what a page to send holds: give --static FOLDER, too, or leave it out.")
    if static is not None:
        if (idle, port) != (IDLE_MINUTES, 0):
            raise SettingsError(
                "--idle and --port are of the viewer, and --static writes a page that needs none: leave them out."
            )
        with watched(STOPPED, as_json=json, quiet=False) as show:
            page = viewing.write_static(out, static, show, columns=named)
        if json:
            print_json({"event": "result", "page": page, "exit": 0})
        else:
            say(f"page: {page}")
        return 0

    def ready(url: str) -> None:
        if json:
            print_json({"event": "serving", "url": url})
        else:
            say(f"look at it: {url}")
            say("Ctrl-C ends the viewer")
        if browser:
            viewing.open_browser(url)

    def tell(text: str) -> None:
        if json:
            print_json({"event": "warning", "text": text})
        else:
            say(text, error=True)

    try:
        viewing.serve(out, idle=idle, port=port, read_only=read_only, ready=ready, tell=tell)
    except KeyboardInterrupt as error:
        return 143 if type(error).__name__ == "Terminated" else 130
    return 0
