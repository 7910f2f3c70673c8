"""mutate: changed copies of a file's bytes, as broken disks, broken copies, broken writers and hostile hands leave them."""

from __future__ import annotations

import gzip
import json
import random
import re
import zlib
from collections.abc import Callable
from copy import deepcopy
from typing import Any

Mutation = Callable[[bytearray, random.Random], bytearray]

WHOLE_NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    255,
    256,
    32767,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
    2**63,
    2**64,
)
WORDS = (
    b"0", b"-1", b"1e308", b"-1e400", b"nan", b"NaN", b"inf", b"2147483648", b"1099511627776", b"99999999999999999999", b"",
    b"x", b"../../x", b"\xff\xfe", b"\xed\xa0\x80", b"9" * 5000, b"1/0", b"''", b'"', b"\0",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 0.5, -0.0, 1e308, float("nan"), float("inf"), 2**31, 2**40, 2**63, 2**70, "", "x", "0", "../x",
    "/etc/x", "\ud800", "\0", [], {}, [[]], [0], [1, 1, 1], {"name": "x"}, "9" * 5000,
)  # fmt: skip


def mutated(data: bytes, random_: random.Random, *, text: bool) -> bytes:
    """A changed copy. Mutations of text keep most of it readable; so do those of JSON, which change its values."""
    if data[:2] == b"\x1f\x8b" and random_.random() < 0.7:  # what is packed changes more often than the packing
        return _repacked(data, random_)
    if data[:1] in (b"{", b"[") and random_.random() < 0.7:
        return _json(data, random_)
    choices = _TEXT if text else _BINARY
    out = bytearray(data)
    for _ in range(random_.choice((1, 1, 1, 2, 4))):
        out = random_.choice(choices)(out, random_)
    return bytes(out)


def _repacked(data: bytes, random_: random.Random) -> bytes:
    try:
        inner = gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        inner = data
    return gzip.compress(mutated(inner, random_, text=False), 1, mtime=0)


def _at(data: bytearray, random_: random.Random) -> int:
    """A place: more often in the head, where formats have their tables."""
    reach = random_.choice((64, 512, len(data), len(data)))
    return random_.randrange(max(1, min(reach, len(data))))


def _flip(data: bytearray, random_: random.Random) -> bytearray:
    for _ in range(random_.choice((1, 1, 4, 32))):
        if data:
            data[_at(data, random_)] ^= 1 << random_.randrange(8)
    return data


def _number(data: bytearray, random_: random.Random) -> bytearray:
    size, at = random_.choice((1, 2, 4, 4, 8)), _at(data, random_) // 2 * 2
    value = random_.choice(WHOLE_NUMBERS) % 2 ** (8 * size)
    data[at : at + size] = value.to_bytes(size, random_.choice(("little", "big")))
    return data


def _cut(data: bytearray, random_: random.Random) -> bytearray:
    return data[: random_.choice((0, 1, 4, _at(data, random_), random_.randrange(len(data) + 1)))]


def _removed(data: bytearray, random_: random.Random) -> bytearray:
    at = _at(data, random_)
    del data[at : at + random_.choice((1, 2, 16, 512))]
    return data


def _doubled(data: bytearray, random_: random.Random) -> bytearray:
    at, length = _at(data, random_), random_.choice((1, 8, 64, 4096))
    data[at:at] = data[at : at + length] * random_.choice((1, 1, 16))
    return data


def _zeroed(data: bytearray, random_: random.Random) -> bytearray:
    at, length = _at(data, random_), random_.choice((2, 12, 64, 1024))
    part = data[at : at + length]
    data[at : at + length] = bytes([random_.choice((0, 255))]) * len(part)
    return data


def _moved(data: bytearray, random_: random.Random) -> bytearray:
    """Bytes of one place written over those of another: offsets that point elsewhere, tables that belong elsewhere."""
    source, target, length = _at(data, random_), _at(data, random_), random_.choice((2, 4, 8, 12, 256))
    part = data[source : source + length]
    data[target : target + len(part)] = part
    return data


def _noise(data: bytearray, random_: random.Random) -> bytearray:
    at = _at(data, random_)
    data[at:at] = random_.randbytes(random_.choice((1, 3, 64, 1000)))
    return data


def _word(data: bytearray, random_: random.Random) -> bytearray:
    """A number or a word of a text becomes another."""
    places = list(re.finditer(rb"[-+.\w]+", bytes(data[: 1 << 16])))
    if not places:
        return _noise(data, random_)
    place = random_.choice(places)
    data[place.start() : place.end()] = random_.choice(WORDS)
    return data


def _lines(data: bytearray, random_: random.Random) -> bytearray:
    """Lines of a text exchanged, lost or repeated."""
    lines = bytes(data).split(b"\n")
    one, other = random_.randrange(len(lines)), random_.randrange(len(lines))
    lines[one : one + 1] = random_.choice(([], [lines[other]], [lines[one]] * 3, [lines[one] + lines[other]]))
    return bytearray(b"\n".join(lines))


_BINARY: tuple[Mutation, ...] = (
    _flip,
    _flip,
    _number,
    _number,
    _number,
    _cut,
    _removed,
    _doubled,
    _zeroed,
    _moved,
    _noise,
    _word,
)
_TEXT: tuple[Mutation, ...] = (_word, _word, _word, _lines, _lines, _flip, _cut, _removed, _doubled, _noise)


def _json(data: bytes, random_: random.Random) -> bytes:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return bytes(_flip(bytearray(data), random_))
    for _ in range(random_.choice((1, 1, 2, 3))):
        value = _changed(value, random_)
    if random_.random() < 0.02:
        return b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    return json.dumps(value).encode()


def _changed(value: Any, random_: random.Random) -> Any:
    """The value with one of its parts, at any depth, changed, lost or repeated."""
    places = list(_places(value, ()))
    if not places:
        return deepcopy(random_.choice(VALUES))
    *path, last = random_.choice(places)
    inner = value
    for key in path:
        inner = inner[key]
    action = random_.random()
    if action < 0.2:
        del inner[last]
    elif action < 0.3 and isinstance(inner, list):
        inner.insert(last, inner[last])
    elif action < 0.5 and isinstance(inner[last], int | float) and not isinstance(inner[last], bool):
        inner[last] = random_.choice(
            (*WHOLE_NUMBERS, -inner[last], inner[last] * 1000, inner[last] / 3, str(inner[last]))
        )
    else:
        inner[last] = deepcopy(random_.choice(VALUES))
    return value


def _places(value: Any, path: tuple[Any, ...]) -> Any:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, key)
        yield from _places(inner, (*path, key))
