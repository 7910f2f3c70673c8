"""TIFF chain: the directories of a TIFF, counted before a parser follows them.

```text
header -> directory -> directory -> ... -> 0      each entry has bytes of its own: entries x their size <= the file
```
Damaged offsets let directories overlap, so that some kilobytes hold thousands of them, with thousands of entries each.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from ...errors import SlideError

MAX_DIRECTORIES = 10**6


def check_directories(path: Path) -> None:
    """Raises SlideError: E_MALFORMED for directories that overlap or never end, E_TRUNCATED where the file ends before the end
    of the first one. What is no TIFF passes, and so do the images before a later directory that is cut."""
    with path.open("rb") as file:
        fd, size = file.fileno(), os.fstat(file.fileno()).st_size
        head = os.pread(fd, 16, 0)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 16:
            return
        big = struct.unpack(f"{order}H", head[2:4])[0] == 43
        count_code, offset_code, entry_bytes = ("Q", "Q", 20) if big else ("H", "I", 12)
        count_bytes, offset_bytes = struct.calcsize(f"<{count_code}"), struct.calcsize(f"<{offset_code}")
        (offset,) = struct.unpack_from(f"{order}{offset_code}", head, 8 if big else 4)
        used = directories = 0
        if offset >= size:
            raise _cut_short(path.name, size, offset)
        while 0 < offset < size:
            (entries,) = struct.unpack(
                f"{order}{count_code}", os.pread(fd, count_bytes, offset).ljust(count_bytes, b"\0")
            )
            used, directories = used + count_bytes + entries * entry_bytes, directories + 1
            if used > size or directories > MAX_DIRECTORIES:
                raise SlideError(
                    f"{path.name}: its directories overlap, or are in a circle: {directories} of them need {used} bytes of a "
                    f"file of {size}. It is damaged; copy it again.",
                    "E_MALFORMED",
                )
            after = offset + count_bytes + entries * entry_bytes
            if directories == 1 and after > size:
                raise _cut_short(path.name, size, after)
            (offset,) = struct.unpack(
                f"{order}{offset_code}", os.pread(fd, offset_bytes, after).ljust(offset_bytes, b"\0")
            )


def _cut_short(name: str, size: int, needed: int) -> SlideError:
    return SlideError(
        f"{name}: its header points to byte {needed:,}, and the file ends at byte {size:,}: it is cut short. Copy it again.",
        "E_TRUNCATED",
    )
