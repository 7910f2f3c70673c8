"""child: work that may crash its process, or never end, in a child process that answers line by line.

The protocol is JSON: a line for each request on the child's stdin, then lines [word, value] on its stdout, which nothing else
uses; the word "over" ends the answer.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from types import TracebackType
from typing import IO, Any

Say = Callable[[str, Any], None]
Work = Callable[[Any, Say], None]
"""(request, say): a module-level function, which the child imports by name."""
ITEMS_AT_ONCE = 8
"""Items that a child does in parallel."""
OVER_SECONDS = 5.0
"""Seconds that a child may take to end a request after its last answer."""
_OVER = "over"


class GoneError(Exception):
    """The child ended without an answer."""

    code = "E_CRASHES_READER"


class SilentError(GoneError):
    """The child gave no answer within its time limit."""

    code = "E_TIMEOUT"


class Child:
    """A child process with its request; a `with` statement ends it, or leaves it to the next one (see `kept_child`).

    `alone`: in a process of its own, which did nothing before and does nothing after, as an earlier file may have harmed it.
    """

    def __init__(self, work: Work, request: Any, *, alone: bool = False) -> None:
        self._alone = alone
        self._process = (None if alone else _spare.take()) or _Process()
        self._process.ask(work.__module__, work.__qualname__, request)

    def hear(self, limit: float) -> tuple[str, Any]:
        """The next line, within `limit` seconds. Raises GoneError or SilentError."""
        return self._process.hear(limit)

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None or self._alone or not _spare.keep(self._process):
            self._process.end()


class _Process:
    """A Python process that does one request after another, and ends with its stdin."""

    def __init__(self) -> None:
        # -P: files of the working folder cannot be imported
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a session of its own: the parent handles Ctrl-C
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._failed = False
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, module: str, function: str, request: Any) -> None:
        """Have a request done; without a function, have a module imported."""
        line = json.dumps([module, function, request])
        threading.Thread(target=self._send, args=(line,), daemon=True).start()  # a full pipe waits for the child

    def hear(self, limit: float) -> tuple[str, Any]:
        try:
            line = self._lines.get(timeout=limit)
        except queue.Empty:
            self._failed = True
            raise SilentError from None
        if not line:
            self._failed = True
            raise GoneError
        word, value = json.loads(line)
        return word, value

    def is_over(self) -> bool:
        """Whether the child says within `OVER_SECONDS` that it has done its request, and nothing else."""
        if self._failed:
            return False
        try:
            return self.hear(OVER_SECONDS)[0] == _OVER
        except GoneError:
            return False

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _send(self, line: str) -> None:
        stdin = self._process.stdin
        try:
            if stdin is not None:
                stdin.write(line + "\n")
                stdin.flush()
        except BrokenPipeError:
            self._process.kill()  # `_listen` tells that it is gone

    def _listen(self) -> None:
        """Queue each line of the answers; an empty line at the end means that the process ended."""
        try:
            for line in self._process.stdout or ():
                self._lines.put(line)
        finally:
            self._lines.put("")


class _Spare:
    """At most one idle child, while a `kept_child` is in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_force = False
        self._idle: _Process | None = None

    def take(self) -> _Process | None:
        with self._lock:
            idle, self._idle = self._idle, None
        if idle is None or idle.is_alive:
            return idle
        idle.end()
        return None

    def keep(self, process: _Process) -> bool:
        """Whether the process was kept; it is not where it has not done its request."""
        if not self._in_force or not process.is_over():
            return False
        with self._lock:
            if not self._in_force or self._idle is not None:
                return False
            self._idle = process
            return True

    def begin(self, module: str) -> None:
        new = _Process()
        new.ask(module, "", None)
        with self._lock:
            self._in_force = True
            old, self._idle = self._idle, new
        if old is not None:
            old.end()

    def end(self) -> None:
        with self._lock:
            self._in_force = False
        idle = self.take()
        if idle is not None:
            idle.end()


_spare = _Spare()


@contextmanager
def kept_child(module: str) -> Iterator[None]:
    """In the `with` block, until `dismiss_child`, a child that has done its work does the next one, as its imports take longer
    than most of its work.

    The first child starts at once and imports `module`, while the caller imports what it needs itself.
    """
    _spare.begin(module)
    try:
        yield
    finally:
        _spare.end()


def dismiss_child() -> None:
    """End the idle child, and keep no other: what follows will hardly need one, and it holds memory."""
    _spare.end()


def each(work: Work, items: Sequence[Any], limit: float, *, alone: bool = True) -> list[Any]:
    """`work(item)` of every item (JSON values), several at a time.

    An item that crashes its child, or gives no answer for `limit` seconds, has GoneError or SilentError in the list.
    After a crash each item of that child is repeated `alone`; otherwise all of them count as crashed.
    """
    answers: dict[int, Any] = {}
    while len(answers) < len(items):
        left = [i for i in range(len(items)) if i not in answers]
        try:
            _batch(work, items, left, limit, answers)
        except GoneError as error:
            for index in [i for i in left if i not in answers][:ITEMS_AT_ONCE]:  # one of these crashed
                if not alone:
                    answers[index] = error
                    continue
                try:
                    _batch(work, items, [index], limit, answers, alone=True)
                except GoneError as fate:
                    answers[index] = fate
    return [answers[i] for i in range(len(items))]


def _batch(
    work: Work, items: Sequence[Any], which: list[int], limit: float, answers: dict[int, Any], *, alone: bool = False
) -> None:
    with Child(work, [items[i] for i in which], alone=alone) as child:
        for _ in which:
            _, (number, value) = child.hear(limit)
            answers[which[number]] = value


def all_of(function: Callable[[Any], Any], items: Sequence[Any], say: Say) -> None:
    """In the child: say [number, function(item)] for every item, in order of completion."""

    def one(number: int) -> None:
        say("done", [number, function(items[number])])

    with ThreadPoolExecutor(ITEMS_AT_ONCE) as pool:
        for _ in pool.map(one, range(len(items))):
            pass


def main() -> None:
    """Entry point of the child process: does the requests on stdin, a line each, [module, function, request]."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of libraries goes to stderr
    say = _sayer(stream)
    for line in sys.stdin:
        module, name, request = json.loads(line)
        found = import_module(module)
        if name:
            work: Work = getattr(found, name)
            work(request, say)
            say(_OVER, None)


def _sayer(stream: IO[str]) -> Say:
    lock = threading.Lock()

    def say(word: str, value: Any) -> None:
        with lock:
            stream.write(json.dumps([word, value]) + "\n")
            stream.flush()

    return say


def _end_with(parent: int) -> None:
    """End this process when its parent is gone, so that endless work does not stay behind."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    main()
