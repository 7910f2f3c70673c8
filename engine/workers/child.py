"""child: work that may crash its process, or never end, in a child process that answers line by line.

The protocol is JSON: one request on the child's stdin, then lines [word, value] on its stdout, which nothing else uses.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from types import TracebackType
from typing import IO, Any

Say = Callable[[str, Any], None]
Work = Callable[[Any, Say], None]
"""(request, say): a module-level function, which the child imports by name."""
ITEMS_AT_ONCE = 8
"""Items that a child does in parallel."""


class GoneError(Exception):
    """The child ended without an answer."""

    code = "E_CRASHES_READER"


class SilentError(GoneError):
    """The child gave no answer within its time limit."""

    code = "E_TIMEOUT"


class Child:
    """A child process with its request; a `with` statement ends it."""

    def __init__(self, work: Work, request: Any) -> None:
        # -P: files of the working folder cannot be imported
        command = [sys.executable, "-P", "-m", __name__, f"{work.__module__}:{work.__qualname__}"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )  # a session of its own: the parent handles Ctrl-C
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._talk, args=(json.dumps(request),), daemon=True).start()

    def hear(self, limit: float) -> tuple[str, Any]:
        """The next line, within `limit` seconds. Raises GoneError or SilentError."""
        try:
            line = self._lines.get(timeout=limit)
        except queue.Empty:
            raise SilentError from None
        if not line:
            raise GoneError
        word, value = json.loads(line)
        return word, value

    def _talk(self, request: str) -> None:
        """Send the request, then queue each line of the answer; an empty line at the end means that the process ended."""
        stdin, stdout = self._process.stdin, self._process.stdout
        try:
            if stdin is not None:
                with stdin:
                    stdin.write(request)
            if stdout is not None:
                with stdout:
                    for line in stdout:
                        self._lines.put(line)
        except BrokenPipeError:
            self._process.kill()
        finally:
            self._lines.put("")

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()


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
                    _batch(work, items, [index], limit, answers)
                except GoneError as fate:
                    answers[index] = fate
    return [answers[i] for i in range(len(items))]


def _batch(work: Work, items: Sequence[Any], which: list[int], limit: float, answers: dict[int, Any]) -> None:
    with Child(work, [items[i] for i in which]) as child:
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
    """Entry point of the child process."""
    request = json.load(sys.stdin)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    module, _, name = sys.argv[1].partition(":")
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of libraries goes to stderr
    work: Work = getattr(import_module(module), name)
    work(request, _sayer(stream))


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
