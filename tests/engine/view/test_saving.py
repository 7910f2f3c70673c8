"""Names that the page sends are a table of clusters, and `relabel` does with it what it does; one at a time."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from view_client import Client, client_of

from tile_engine.engine.api import viewing
from tile_engine.engine.runtime.load import load
from tile_engine.errors import SettingsError

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


def test_one_saving_at_a_time_and_what_it_gives_on(finished: Callable[..., Any]) -> None:
    seen: list[Any] = []
    go = threading.Event()

    def relabel(out: Path, level: int, path: Path, report: Any) -> None:
        seen.append((level, list(csv.DictReader(path.open()))))
        assert go.wait(60)

    with client_of(finished("cluster", "slides").out, relabel) as client:
        assert post(client, {"level": 2, "rows": ROWS})[0] == 202
        status, answer = post(client, {"level": 2, "rows": ROWS})
        assert (status, answer["code"]) == (409, "E_LOCKED")
        go.set()
        assert until_over(client)["state"] == "done"
    ((level, rows),) = seen
    assert level == 2 and [row["name"] for row in rows[:2]] == ["mucosa", "submucosa"] and len(rows) > 2


def test_why_it_failed_is_said_and_the_next_one_may_begin(finished: Callable[..., Any]) -> None:
    def relabel(out: Path, level: int, path: Path, report: Any) -> None:
        if level == 2:
            raise SettingsError("no such cluster", "E_CLASSES")
        raise ZeroDivisionError("secret")

    with client_of(finished("cluster", "slides").out, relabel) as client:
        post(client, {"level": 2, "rows": ROWS})
        assert until_over(client) == {"state": "failed", "text": "no such cluster [E_CLASSES]"}
        post(client, {"level": 3, "rows": ROWS})
        found = until_over(client)
        assert found["state"] == "failed" and "secret" not in found["text"]


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
