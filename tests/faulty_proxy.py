"""A busy object store: hands requests on to another one, but for a seeded share that it answers with 503 Slow Down.

`python faulty_proxy.py PORT TARGET_PORT SHARE SEED SECONDS`; on SIGTERM it prints how many requests it saw and refused.
"""

from __future__ import annotations

import http.client
import os
import random
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

PORT, TARGET, SHARE, SEED, SECONDS = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), *map(int, sys.argv[4:6])
SLOW_DOWN = (
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)

random_choice, lock = random.Random(SEED), threading.Lock()
counts = {"seen": 0, "refused": 0}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with lock:
            refused = random_choice.random() < SHARE
            counts["seen"] += 1
            counts["refused"] += refused
        if refused:
            self.answer(503, {}, SLOW_DOWN)
            return
        target = http.client.HTTPConnection("127.0.0.1", TARGET, timeout=60)
        target.request(self.command, self.path, body, dict(self.headers))
        found = target.getresponse()
        self.answer(found.status, dict(found.getheaders()), found.read())
        target.close()

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        kept = {
            k: v for k, v in headers.items() if k.lower() not in ("connection", "transfer-encoding", "date", "server")
        }
        if self.command != "HEAD":
            kept = {k: v for k, v in kept.items() if k.lower() != "content-length"} | {"Content-Length": str(len(body))}
        for name, value in ({"Content-Length": "0"} | kept).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = hand_on  # noqa: N815 - the server's own names

    def log_message(self, *args: object) -> None:
        """Quiet."""


def end(number: int, frame: FrameType | None) -> None:
    print(counts["seen"], counts["refused"], flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGALRM, end)
signal.alarm(SECONDS)
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
