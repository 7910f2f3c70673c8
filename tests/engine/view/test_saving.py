"""Names that the page sends are a table of clusters, and `relabel` does with it what it does; one at a time."""

from __future__ import annotations

import csv
import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from view_client import Client, client_of

from tile_engine.engine.api import viewing
from tile_engine.engine.runtime.load import load
from tile_engine.engine.view.server import Server
from tile_engine.engine.view.viewer import open_viewer
from tile_engine.errors import LockedError, UnfinishedError

PAGE = {"X_Tile_Engine": "1"}
ROWS = [{"cluster": "1", "name": "mucosa", "colour": "#112233", "into": ""}, {"cluster": "2", "name": "submucosa"}]
MERGED = [*ROWS, {"cluster": "3", "into": "2"}]


def post(client: Client, body: Any) -> tuple[int, Any]:
    status, _, content = client.ask("/api/runs/0/clusters", "POST", body, **PAGE)
    return status, json.loads(content)


def until_over(client: Client) -> dict[str, str]:
    limit = time.monotonic() + 120
    while (now := client.get("runs/0/clusters"))["state"] == "running":
        assert time.monotonic() < limit
        time.sleep(0.02)
    return dict(now)


def test_saving_is_relabel(finished: Callable[..., Any], tmp_path: Path) -> None:
    out = finished("cluster", "slides").copy(tmp_path / "out")
    with client_of(out, viewing.relabelled) as client:
        assert client.get("runs")["read_only"] is False
        status, now = post(client, {"level": 3, "rows": MERGED})
        assert (status, now["state"]) == (202, "running")
        assert until_over(client) == {"state": "done", "text": ""}
        level = client.get("runs")["runs"][0]["tree"]["levels"]["3"]
    assert (level["names"][0], level["colours"][0], level["into"]) == ("mucosa", "#112233", {"3": 2})
    classes = load(out).settings.classes
    assert classes[0] == (1, "mucosa", "#112233", 0) and [row[0] for row in classes if row[3]] == [3]
    assert "mucosa" in (out / "clusters.csv").read_text() and "mucosa" in (out / "report.html").read_text()


def test_names_are_shown_at_once_and_what_comes_meanwhile_is_saved_next(finished: Callable[..., Any]) -> None:
    seen: list[Any] = []
    go = threading.Event()

    def relabel(out: Path, level: int, path: Path, report: Any) -> None:
        seen.append((level, [row["name"] for row in csv.DictReader(path.open())]))
        assert go.wait(60)

    def shown(client: Client) -> Any:
        run = client.get("runs")["runs"][0]
        return run["saving"], run["tree"]["shown"], run["tree"]["levels"]["2"]["names"]

    with client_of(finished("cluster", "slides").out, relabel) as client:
        before = shown(client)
        assert post(client, {"level": 2, "rows": ROWS})[0] == 202
        assert shown(client) == (True, 2, ["mucosa", "submucosa"])
        for name in ("muscle", "glands"):  # the last one holds the one before
            assert post(client, {"level": 2, "rows": [{"cluster": "2", "name": name}]})[0] == 202
        assert shown(client) == (True, 2, ["mucosa", "glands"])
        tile = client.bytes("runs/0/images/0/overlays/0/tile?z=0&y=0&x=0&k=2")
        assert post(client, {"discard": True})[1]["state"] == "running", "what is being saved is saved"
        go.set()
        assert until_over(client)["state"] == "done"
        assert shown(client) == before and tile != client.bytes("runs/0/images/0/overlays/0/tile?z=0&y=0&x=0&k=2")
    assert [(level, names[:2]) for level, names in seen] == [(2, ["mucosa", "submucosa"]), (2, ["mucosa", "glands"])]
    assert len(seen[1][1]) > 2


def test_why_it_failed_is_said_and_the_names_are_kept(finished: Callable[..., Any]) -> None:
    seen: list[Any] = []

    def relabel(out: Path, level: int, path: Path, report: Any) -> None:
        seen.append(path.read_text())
        if len(seen) == 1:
            raise LockedError("another process works on it", "E_LOCKED")
        if len(seen) == 2:
            raise ZeroDivisionError("secret")

    def first(client: Client) -> str:
        return str(client.get("runs")["runs"][0]["tree"]["levels"]["2"]["names"][0])

    with client_of(finished("cluster", "slides").out, relabel) as client:
        post(client, {"level": 2, "rows": ROWS})
        assert until_over(client) == {"state": "failed", "text": "another process works on it [E_LOCKED]"}
        assert first(client) == "mucosa"
        post(client, {"level": 2, "rows": []})  # try again
        found = until_over(client)
        assert found["state"] == "failed" and "secret" not in found["text"]
        assert post(client, {"discard": True})[1] == {"state": "idle", "text": ""} and first(client) == "cluster 1"
        post(client, {"level": 2, "rows": ROWS})
        assert until_over(client)["state"] == "done"
    assert seen[0] == seen[1] == seen[2]


def test_the_viewer_ends_when_all_names_are_saved_and_says_which_are_not(
    finished: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    def relabel(out: Path, level: int, path: Path, report: Any) -> None:
        time.sleep(0.6)
        seen.append(level)
        if level == 3:
            raise LockedError("another process works on it", "E_LOCKED")

    server = Server(open_viewer(finished("cluster", "slides").out, relabel))
    ending = threading.Thread(target=server.serve, args=(0.5,))
    ending.start()
    for level in (2, 3):
        assert post(Client(server), {"level": level, "rows": []})[0] == 202
    ending.join(30)
    assert seen == [2, 3] and not ending.is_alive()
    assert "names of clusters were not saved: another process works on it" in caplog.text


def test_names_that_are_let_go_of_are_undone_where_relabel_had_begun(
    finished: Callable[..., Any], tmp_path: Path
) -> None:
    out, kept = finished("cluster", "slides").copy(tmp_path / "out"), ("report.html", "clusters.csv")
    before, files = load(out).settings, [(out / name).read_text() for name in kept]
    calls: list[int] = []

    def relabel(out: Path, level: int, path: Path, report: Any) -> None:
        def full(event: Any) -> None:
            if event.kind == "progress" and len(calls) == 1:
                raise UnfinishedError("no room left", "E_DISK_FULL")
            report(event)

        calls.append(level)
        viewing.relabelled(out, level, path, full)

    with client_of(out, relabel) as client:
        shown = client.get("runs")["runs"][0]["tree"]
        post(client, {"level": 3, "rows": MERGED})
        assert until_over(client) == {"state": "failed", "text": "no room left [E_DISK_FULL]"}
        assert load(out).settings.classes and [(out / name).exists() for name in kept] != [True, True], "it had begun"
        status, now = post(client, {"discard": True})
        assert (status, now["state"]) == (202, "running")
        assert client.get("runs")["runs"][0]["tree"] == shown
        assert until_over(client) == {"state": "done", "text": ""}
        found = client.get("runs")["runs"][0]
        assert (found["tree"], found["status"], found["saving"]) == (shown, "done", False)
    assert (load(out).settings.level, load(out).settings.classes) == (before.level, before.classes)
    assert [(out / name).read_text() for name in kept][1] == files[1] and calls == [3, before.level]


def test_a_viewer_that_ends_begins_nothing_any_more(finished: Callable[..., Any]) -> None:
    with client_of(finished("cluster", "slides").out, lambda *_: None) as client:
        client.server.savings[0].close()
        for body in ({"level": 2, "rows": ROWS}, {"discard": True}):
            status, answer = post(client, body)
            assert status == 503 and "is ending" in answer["error"]
        assert client.get("runs/0/clusters")["state"] == "idle"


def test_an_interrupted_viewer_saves_first_and_a_second_interruption_says_what_is_lost(
    finished: Callable[..., Any],
) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread alone")
    said: list[str] = []
    begun, go = threading.Event(), threading.Event()

    def relabel(out: Path, level: int, path: Path, report: Any) -> None:
        begun.set()
        assert go.wait(60)

    def tell(text: str) -> None:
        said.append(text)
        if len(said) == 1:
            assert Client(server).get("runs/0/clusters")["state"] == "running", "the page is still told of it"
            assert post(Client(server), {"level": 2, "rows": []})[0] == 503
            interrupt.start()  # while the end of the saving is waited for

    def name_and_interrupt() -> None:
        assert post(Client(server), {"level": 2, "rows": ROWS})[0] == 202 and begun.wait(60)
        signal.pthread_kill(main, signal.SIGINT)

    main, server = threading.main_thread().ident or 0, Server(open_viewer(finished("cluster", "slides").out, relabel))
    interrupt = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    threading.Thread(target=name_and_interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        server.serve(60, tell)
    assert [text.partition(":")[0] for text in said] == [
        "names of clusters are being saved",
        "names of clusters were not saved",
    ]
    go.set()
    thread = server.savings[0].thread
    assert thread is not None
    thread.join(60)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"cluster": "1", "name": "x" * 81}, "too long"),
        ({"cluster": "1", "colour": "red"}, "'red' is not of the form"),
        ({"cluster": "1", "into": "1"}, "merged into each other"),
    ],
)
def test_names_that_relabel_refuses_are_refused_at_once(
    finished: Callable[..., Any], row: dict[str, str], why: str
) -> None:
    with client_of(finished("cluster", "slides").out, viewing.relabelled) as client:
        status, answer = post(client, {"level": 2, "rows": [row]})
        assert status == 422 and why in answer["error"] and "/tmp" not in answer["error"]
        assert client.get("runs/0/clusters")["state"] == "idle" and not client.get("runs")["runs"][0]["saving"]


@pytest.mark.parametrize(
    "body",
    [
        *(
            [],
            {},
            {"level": 2},
            {"level": 99, "rows": []},
            {"level": 2, "rows": [1]},
            {"level": 2, "rows": [{"name": 1}]},
        ),
        *({"level": 2, "rows": [{"cluster": cluster}]} for cluster in ("3", "²", "")),
        {"level": 2, "rows": [{"cluster": "1", "into": "-1"}]},
    ],
)
def test_what_is_no_table_is_refused(finished: Callable[..., Any], body: Any) -> None:
    with client_of(finished("cluster", "slides").out, viewing.relabelled) as client:
        assert post(client, body)[0] == 400


def test_read_only_refuses_and_so_does_a_large_body(client: Client) -> None:
    status, answer = post(client, {"level": 2, "rows": ROWS})
    assert (status, answer["code"]) == (422, "E_READ_ONLY")
    assert client.ask("/api/runs/0/clusters", "POST", [], Content_Length=str(1 << 19), **PAGE)[0] == 413
