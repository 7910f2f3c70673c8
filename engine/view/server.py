"""server: answers this machine's browser: one address, a token, no caches, no other origin, and an end by itself.

```text
GET  /?token=...    the page, and the token as a cookie
GET  /page/...      its files          with the cookie
GET  /api/...       values, pictures   with the cookie
POST /api/runs/N/clusters    with the cookie, the header X-Tile-Engine, and no foreign origin
```
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from ...errors import LockedError, TileEngineError
from .answers import Answer, Query, RequestError
from .routes import answer, page_file
from .saving import LOGGER, Saving, has_begun, start_saving
from .viewer import Viewer

HOST = "127.0.0.1"
MAX_BODY = 1 << 18
"""Bytes of a POST, at most."""
MAX_FIELDS = 20
CONNECTION_SECONDS = 60
"""Seconds that an open connection may be silent."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # pictures of patients stay out of the browser's folder
}
SAVE = "/clusters"
LAST_SECONDS = 2.0
"""Seconds that requests may take which are being answered when the viewer ends."""
log = logging.getLogger(LOGGER)


class Server(ThreadingHTTPServer):
    """The server of one viewer, on a free port of this machine."""

    daemon_threads = True

    def __init__(self, viewer: Viewer, port: int = 0) -> None:
        super().__init__((HOST, port), Handler)
        self.viewer = viewer
        self.token = secrets.token_urlsafe(32)
        self.savings = {run: Saving() for run in range(len(viewer.runs))}
        self.last = time.monotonic()
        """When somebody with the token asked last, or was answered."""
        self.in_flight = 0
        """Requests with the token that are being answered."""
        self._counting = threading.Lock()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """The address to open; it holds the token."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Name of the cookie: cookies of one host are shared by all its ports."""
        return f"tile-engine-{self.port}"

    @property
    def is_saving(self) -> bool:
        return any(saving.is_running for saving in self.savings.values())

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Context in which a request is answered: the server does not end meanwhile."""
        with self._counting:
            self.in_flight += 1
        try:
            yield
        finally:
            with self._counting:
                self.in_flight -= 1
                self.last = time.monotonic()

    def serve(self, idle: float, tell: Callable[[str], None] = log.warning) -> None:
        """Answer until nobody has asked for `idle` seconds, or until interrupted; what is being saved is saved first.

        `tell` gets what somebody who waits for the end is to know. Raises KeyboardInterrupt where a second interruption
        leaves names that are not saved.
        """
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="viewer", daemon=True)
        thread.start()
        try:
            with suppress(KeyboardInterrupt):
                while time.monotonic() - self.last < idle or self.in_flight or self.is_saving:
                    time.sleep(min(0.2, idle))
            self._save_last(tell)
        finally:
            self.shutdown()
            self.server_close()

    def _save_last(self, tell: Callable[[str], None]) -> None:
        """Wait for what is being saved, and let nothing new begin; the page is answered meanwhile."""
        try:
            for saving in self.savings.values():
                saving.close()
            if self.is_saving:
                tell(
                    "names of clusters are being saved: the viewer ends when that is done; a second Ctrl-C ends it at once"
                )
            for saving in self.savings.values():
                if saving.thread is not None:
                    saving.thread.join()
            limit = time.monotonic() + LAST_SECONDS
            while self.in_flight and time.monotonic() < limit:
                time.sleep(0.05)
        except KeyboardInterrupt:
            if self.is_saving:
                self._tell_unsaved(tell)
                raise
        self._tell_unsaved(tell)

    def _tell_unsaved(self, tell: Callable[[str], None]) -> None:
        for run, saving in self.savings.items():
            if saving.state not in ("running", "failed"):
                continue
            why = f": {saving.text}" if saving.state == "failed" else ""
            out = self.viewer.runs[run].out
            rest = f"; what was begun with them is finished by: tile-engine map {shlex.quote(str(out))}"
            tell(f"names of clusters were not saved{why}{rest if has_begun(self.viewer, saving, run) else ''}")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = CONNECTION_SECONDS
    disable_nagle_algorithm = True  # an answer would wait 40 ms for the acknowledgement of its own head
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def version_string(self) -> str:
        return "tile-engine"

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: an address may hold the token."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """For requests that are not understood: no text of theirs in the answer."""
        self.close_connection = True
        self._send(_failure(code, "the request is not understood"))

    def _answer(self, method: Callable[[str, Query], Answer]) -> None:
        try:
            found = self._checked(method)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        except RequestError as error:
            found = _failure(400, str(error))
        except LookupError:
            found = _failure(404, "there is no such thing")
        except LockedError as error:
            found = _failure(409, error.message, error.code)
        except TileEngineError as error:
            found = _failure(422, error.message, error.code)
        except Exception:
            log.exception("an address of the viewer failed")
            found = _failure(500, "an error inside of tile-engine: it is in the terminal")
        try:
            self._send(found)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _checked(self, method: Callable[[str, Query], Answer]) -> Answer:
        """The answer to a request that comes from our own page."""
        if self.headers.get("Host", "") not in {f"{HOST}:{self.server.port}", f"localhost:{self.server.port}"}:
            self.close_connection = True
            return _failure(421, "this address is not served here")  # a foreign name that was pointed to this machine
        is_page = self.command == "GET" and self.path.partition("?")[0] == "/"  # a link to it may stand anywhere
        if not is_page and self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            self.close_connection = True
            return _failure(403, "requests of other pages are refused")
        try:
            split = urlsplit(self.path)
            query = Query(dict(parse_qsl(split.query, max_num_fields=MAX_FIELDS)))
        except ValueError:
            raise RequestError("the address is not understood") from None
        if not self._allowed(query):
            self.close_connection = True
            return _failure(403, "open the address that tile-engine printed: it holds the token")
        with self.server.answering():
            return method(split.path, query)

    def _allowed(self, query: Query) -> bool:
        given = [self._cookie(), query.values.get("token", "") if self.command == "GET" else ""]
        return any(hmac.compare_digest(text.encode(), self.server.token.encode()) for text in given)

    def _cookie(self) -> str:
        for part in self.headers.get("Cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.server.cookie:
                return value
        return ""

    def _get(self, path: str, query: Query) -> Answer:
        if path.startswith("/api/runs/") and path.endswith(SAVE):
            return Answer.of(self._saving(path)[1].document())
        return answer(self.server.viewer, path, query) if path.startswith("/api/") else page_file(path)

    def _post(self, path: str, query: Query) -> Answer:
        own = {f"http://127.0.0.1:{self.server.port}", f"http://localhost:{self.server.port}"}
        if self.headers.get("X-Tile-Engine") != "1" or self.headers.get("Origin", next(iter(own))) not in own:
            self.close_connection = True
            return _failure(403, "requests of other pages are refused")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            return _failure(413, f"the body has at most {MAX_BODY} bytes")
        body = self.rfile.read(int(length))
        run, saving = self._saving(path)
        try:
            value = json.loads(body)
        except ValueError:
            raise RequestError("the body is no JSON") from None
        return start_saving(self.server.viewer, saving, run, value)

    def _saving(self, path: str) -> tuple[int, Saving]:
        number = path.removeprefix("/api/runs/").removesuffix(SAVE)
        if path != f"/api/runs/{number}{SAVE}" or not number.isascii() or not number.isdecimal() or len(number) > 9:
            raise LookupError(path)
        return int(number), self.server.savings[int(number)]

    def _send(self, found: Answer) -> None:
        self.send_response(found.status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", found.kind)
        self.send_header("Content-Length", str(len(found.content)))
        if found.status == 200 and self.path.startswith("/?"):
            cookie = f"{self.server.cookie}={self.server.token}; HttpOnly; SameSite=Strict; Path=/"
            self.send_header("Set-Cookie", cookie)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(found.content)


def _failure(status: int, text: str, code: str = "") -> Answer:
    return Answer.of({"error": text, "code": code}, status)
