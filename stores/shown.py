"""Shown: text as a terminal, a log or a page may show it. Names of files may hold characters that command a terminal.

Documents and tables keep names as they are. Text passes here where people read it, and nowhere else.
"""

from __future__ import annotations

import re

_COMMANDS = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f]"  # control characters, ESC among them
    "|\n(?!  )"  # of our messages, further lines are indented; a name cannot begin a line of its own
    "|[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"  # direction of writing, line ends, invisible ones
    "|[\ud800-\udfff]"  # bytes of a name that are not UTF-8
)
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def shown(text: str) -> str:
    r"""The text with control characters, and those that turn or hide what follows, as escapes. A line break stays where the
    next line is indented.

    >>> shown("a\nb\x1b[31m\u202egpj.svs"), shown("workers:\n  node1"), shown("Zürich/Fall 7.svs")
    ('a\\nb\\x1b[31m\\u202egpj.svs', 'workers:\n  node1', 'Zürich/Fall 7.svs')
    """
    return _COMMANDS.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
