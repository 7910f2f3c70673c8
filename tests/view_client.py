"""A server on a finished run, in this process, and a client that speaks as the page does."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tile_engine.engine.view.server import Server
from tile_engine.engine.view.viewer import Relabel, open_viewer


class Client:
    """Asks with the cookie unless headers say otherwise; errors come back as (status, JSON)."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.cookie = f"{server.cookie}={server.token}"

    def ask(
        self, path: str, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        given = {"Cookie": self.cookie} | {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), given)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """JSON values; the status is 200."""
        status, _, content = self.ask(f"/api/{path}")
        assert status == 200, content
        return json.loads(content)

    def bytes(self, path: str) -> bytes:
        status, _, content = self.ask(f"/api/{path}")
        assert status == 200, content
        return content


@contextmanager
def client_of(out: Path, relabel: Relabel | None = None) -> Iterator[Client]:
    server = Server(open_viewer(out, relabel))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Client(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
