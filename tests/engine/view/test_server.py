"""Who is answered: the page that was opened with the token on this machine, and nobody else; and what never leaves."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from view_client import Client

from tile_engine.engine.api import viewing
from tile_engine.engine.view import routes
from tile_engine.engine.view.server import Server
from tile_engine.engine.view.viewer import open_viewer
from tile_engine.errors import SettingsError

OTHER = "http://evil.example"


def test_the_page_is_opened_with_the_token_and_goes_on_with_a_cookie(client: Client) -> None:
    status, headers, content = client.ask(f"/?token={client.server.token}", Cookie="")
    assert status == 200 and b"<title>" in content
    assert headers["set-cookie"] == f"{client.cookie}; HttpOnly; SameSite=Strict; Path=/"
    assert client.ask("/api/runs", Cookie="")[0] == 403
    assert client.ask("/api/runs")[0] == 200


def test_every_answer_forbids_scripts_of_others_frames_and_caches(client: Client) -> None:
    for path in ("/", "/page/viewer.css", "/api/runs", "/api/nothing"):
        headers = client.ask(path)[1]
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
        assert not any(name.startswith("access-control") for name in headers) and headers["server"] == "tile-engine"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Cookie": ""}, 403),
        ({"Cookie": "tile-engine-1=x"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_others_are_refused(client: Client, headers: dict[str, str], status: int) -> None:
    assert client.ask("/api/runs", **headers)[0] == status


def test_a_wrong_token_and_a_token_of_another_method_are_refused(client: Client) -> None:
    assert client.ask("/?token=wrong", Cookie="")[0] == 403
    assert client.ask(f"/api/runs/0/clusters?token={client.server.token}", "POST", {}, Cookie="")[0] == 403


@pytest.mark.parametrize(
    "headers", [{}, {"X_Tile_Engine": "1", "Origin": OTHER}, {"X_Tile_Engine": "2"}], ids=["plain", "origin", "header"]
)
def test_a_form_of_another_page_saves_nothing(client: Client, headers: dict[str, str]) -> None:
    status, _, content = client.ask("/api/runs/0/clusters", "POST", {"level": 2, "rows": []}, **headers)
    assert status == 403 and "refused" in json.loads(content)["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/page/../server.py",
        "/page/%2e%2e/server.py",
        "/page//etc/passwd",
        "/run.json",
        "/api/runs/1",
        "/api/runs/0/images/3",
        "/api/runs/0/images/-1",
        "/api/runs/0/images/0/pictures/7/tile?z=0&y=0&x=0",
        "/api/runs/0/images/0/pictures/0/tile?z=0&y=99&x=0",
        "/api/runs/0/images/0/overlays/0/tile?z=0&y=0&x=0&k=99",
        "/api/runs/9/clusters",
    ],
)
def test_what_is_not_there_is_not_there(client: Client, path: str) -> None:
    status, _, content = client.ask(path)
    assert status == 404 and json.loads(content)["error"] == "there is no such thing"


@pytest.mark.parametrize(
    "path",
    [
        "images/0/pictures/0/tile",
        "images/0/pictures/0/tile?z=99&y=0&x=0",
        "images/0/pictures/0/tile?z=0&y=%C2%B2&x=0",
        "images/0/at?y=nan&x=1",
        "images/0/at?y=1",
        "images/0/overlays/0/tile?z=0&y=0&x=0&hide=a",
        "images/0/similar?y=1&x=1&k=51",
        "images/0/at?" + "a=1&" * 21,
    ],
)
def test_numbers_outside_their_bounds_are_refused(client: Client, path: str) -> None:
    assert client.ask(f"/api/runs/0/{path}")[0] == 400


def test_addresses_that_are_none_are_refused_and_names_are_saved_at_theirs_alone(client: Client) -> None:
    assert client.ask("HTTP://[")[0] == 400
    assert client.ask("/api/runs/0", "POST", {"level": 2, "rows": []}, X_Tile_Engine="1")[0] == 404


def test_a_fault_says_nothing_of_the_code(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(routes, "_patterns", lambda: ((__import__("re").compile("/api/runs"), fail),))
    status, _, content = client.ask("/api/runs")
    assert status == 500 and b"secret" not in content and b"Traceback" not in content


def test_a_request_that_is_none_is_answered_without_its_words(client: Client) -> None:
    status, _, content = client.ask("/api/runs", "BREW")
    assert status == 501 and b"BREW" not in content


def test_the_server_ends_when_nobody_asks(finished: Callable[..., Any]) -> None:
    server = Server(open_viewer(finished("cluster", "slides").out))
    begun = time.monotonic()
    server.serve(0.3)
    assert time.monotonic() - begun < 20
    with pytest.raises(OSError, match="refused"):
        Client(server).ask("/")


def test_the_server_stays_while_it_answers(client: Client) -> None:
    before = client.server.last
    with client.server.answering():
        assert client.server.in_flight == 1
    assert client.server.in_flight == 0 and client.server.last > before


def test_a_page_that_cannot_be_opened_leaves_no_port(finished: Callable[..., Any]) -> None:
    def fail(url: str) -> None:
        ports.append(int(url.split(":")[2].split("/")[0]))
        raise ZeroDivisionError

    ports: list[int] = []
    with pytest.raises(ZeroDivisionError):
        viewing.serve(finished("cluster", "slides").out, ready=fail)
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports[0]))


def test_a_viewer_that_is_terminated_ends_as_after_an_interruption(finished: Callable[..., Any]) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread alone")
    before = signal.getsignal(signal.SIGTERM)
    viewing.serve(finished("cluster", "slides").out, ready=lambda url: signal.raise_signal(signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) is before


def test_it_listens_on_this_machine_alone(client: Client) -> None:
    assert client.server.server_address[0] == "127.0.0.1"
    assert client.server.url == f"http://127.0.0.1:{client.server.port}/?token={client.server.token}"
    assert len(client.server.token) >= 40


def test_a_folder_without_a_run_and_a_bucket_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no run"):
        open_viewer(tmp_path)
    with pytest.raises(SettingsError, match="object store"):
        open_viewer("s3://bucket/out")
