"""Order: which of a user's words about where to run count, and which contradict each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tile_engine.engine.compute.gpus import Gpu
from tile_engine.engine.workers import placement as module
from tile_engine.engine.workers.placement import ClusterOptions, cluster_spec
from tile_engine.errors import MachineError, SettingsError


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Eight cores, no GPU, no words but the test's own."""
    for name in ("DASK_SCHEDULER_ADDRESS", "TILE_ENGINE_SITE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setattr(module, "cores", lambda: 8)
    monkeypatch.setattr(module, "gpus", tuple)


def site(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    return path


def test_each_word_goes_before_those_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": "tcp://127.0.0.1:2", "workers": {}}))
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:3")
    words = {
        "client": object(),
        "scheduler_address": "tcp://127.0.0.1:1",
        "scheduler_file": file,
        "cluster": "none",
        "site": site(tmp_path, "cluster: local"),
    }
    found = []
    for _ in range(3):
        order = cluster_spec(ClusterOptions(**words))
        found.append(order.address or order.kind)
        del words[next(iter(words))]
    order = cluster_spec(ClusterOptions(**words))
    found.append(order.address)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS")
    found.append(cluster_spec(ClusterOptions(**words)).kind)
    found.append(cluster_spec(ClusterOptions(site=words["site"])).kind)
    assert found == ["client", "tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://127.0.0.1:3", "none", "local"]


@pytest.mark.parametrize(
    ("cores", "cards", "cuda", "words", "kind", "count"),
    [
        (2, 0, True, {}, "none", 1),
        (2, 0, True, {"workers": 2}, "local", 2),
        (8, 0, True, {}, "local", 8),
        (8, 2, True, {}, "cuda", 2),
        (2, 1, True, {"workers": 1}, "cuda", 1),
        (8, 2, False, {}, "local", 8),
    ],
)
def test_left_alone_it_takes_what_the_machine_has(
    monkeypatch: pytest.MonkeyPatch, cores: int, cards: int, cuda: bool, words: dict[str, int], kind: str, count: int
) -> None:
    monkeypatch.setattr(module, "cores", lambda: cores)
    monkeypatch.setattr(module, "gpus", lambda: tuple(Gpu("card", f"GPU-{n}") for n in range(cards)))
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: object() if cuda else None)
    order = cluster_spec(ClusterOptions(**words))
    assert (order.kind, order.least, order.most) == (kind, count, count)


def test_more_gpu_workers_than_gpus_are_refused() -> None:
    with pytest.raises(MachineError, match=r"finds 0 GPUs.*--cluster local") as caught:
        cluster_spec(ClusterOptions(cluster="cuda"))
    assert (caught.value.code, caught.value.exit_status) == ("E_NO_GPU", 5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"workers": 2, "adapt": "1:2"}, "contradict"),
        ({"workers": 0}, "--workers is 0"),
        ({"adapt": "3:2"}, "--adapt is '3:2'"),
        ({"adapt": "0:2"}, "--adapt is '0:2'"),
        ({"adapt": "many"}, "such as 2:20"),
        ({"cluster": "slurm"}, "no default number of workers"),
        ({"cluster": "local", "rmm_pool": "1GB"}, "--rmm-pool is for workers with a GPU"),
    ],
)
def test_words_that_cannot_be_are_refused(words: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        cluster_spec(ClusterOptions(**words))


def test_a_site_says_how_many_and_how_long_to_wait_and_the_user_goes_before(tmp_path: Path) -> None:
    path = site(tmp_path, "cluster: slurm\nadapt: '2:20'\nslurm: {cores: 2, memory: 4GB}")
    assert [(o.least, o.most, o.wait) for o in [cluster_spec(ClusterOptions(site=path))]] == [(2, 20, 600.0)]
    assert cluster_spec(ClusterOptions(site=path, workers=3)).most == 3
    assert cluster_spec(ClusterOptions(cluster="local")).wait == 60.0
    assert cluster_spec(ClusterOptions(site=site(tmp_path, "cluster: local\nwait: 5"))).wait == 5.0


def test_a_scheduler_file_that_names_none_says_how_one_is_made(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"addr')
    for name in ("half.json", "missing.json"):
        with pytest.raises(MachineError, match=r"dask scheduler --host 127\.0\.0\.1 --scheduler-file") as caught:
            cluster_spec(ClusterOptions(scheduler_file=tmp_path / name))
        assert caught.value.code == "E_NO_SCHEDULER"
