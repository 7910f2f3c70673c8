"""say: prints a line for people. All text of commands passes here, so that no name of a file commands the terminal."""

from __future__ import annotations

import sys


def say(text: str = "", *, error: bool = False) -> None:
    """Print text on standard output, or on standard error."""
    from ..stores.shown import shown

    print(shown(text), file=sys.stderr if error else sys.stdout, flush=True)
