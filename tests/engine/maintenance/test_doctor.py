"""The doctor: says what works, measures the folder and leaves nothing in it, and ends with 5 where something is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tile_engine.cli.app import app
from tile_engine.engine.compute.machine import bf16_instructions
from tile_engine.engine.maintenance import doctor
from tile_engine.engine.maintenance.doctor import examine
from tile_engine.engine.workers.placement import ClusterOptions


def test_a_machine_that_works_has_no_problem_and_the_folder_stays_as_it_was(tmp_path: Path) -> None:
    found = {check.name: check for check in examine(ClusterOptions(cluster="none"), tmp_path / "new" / "out")}
    assert {"versions", "memory", "codec zstd", "codec lz4", "reader tiff", "reader openslide", "workers"} <= set(found)
    assert not [check for check in found.values() if check.state == "problem"]
    assert "MB/s" in found["out speed"].text and "GB free" in found["out room"].text
    assert found["workers"].text == "this process"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (
            "model name\t: some\nflags\t\t: avx2 avx512_bf16 sse\n",
            "AVX-512 BF16 for it; a network is applied 1.90 times",
        ),
        ("flags\t\t: avx512_bf16 amx_bf16 amx_tile\n", "AVX-512 BF16 and AMX for it"),
        ("flags\t\t: avx2 sse\n", "no instructions for it"),
        ("Features\t: fp asimd bf16\n", "Arm BF16"),
        ("processor\t: 0\n", "does not tell"),
    ],
)
def test_what_the_processor_has_for_bf16_is_said(
    table: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(table)
    monkeypatch.setattr(doctor, "bf16_instructions", lambda: bf16_instructions(str(path)))
    monkeypatch.setattr(doctor, "bf16_gain", lambda: 1.9)
    checks = list(doctor._cpu())
    assert "leave out" not in checks[0].text or "no instructions" in checks[0].text
    assert [(check.name, check.state) for check in checks] == [("cpu bf16", "ok")]
    assert text in checks[0].text


def test_bf16_that_is_no_faster_is_advised_against(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "bf16_instructions", lambda: ("AVX-512 BF16",))
    (check,) = doctor._cpu()  # measured
    gain = float(check.text.split("applied ")[1].split(" times")[0])
    assert 0.05 < gain < 50 and ("leave out" in check.text) == (gain < doctor.WORTH)


def test_workers_are_asked_too(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--out", str(tmp_path), "--cluster", "local", "--workers", "2", "--json"])
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [s["text"] for s in said if s["name"] == "workers"] == ["2 dask workers with 2 threads"]
    assert [s["text"].split(": ")[1] for s in said if s["name"] == "worker"] == ["2 workers, 2 threads"]
    assert not list(tmp_path.iterdir())


def test_what_is_broken_is_a_problem_and_the_rest_is_looked_at_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> bytes:
        raise OSError("no such codec")

    monkeypatch.setattr(doctor, "encode_shard", broken)
    done = CliRunner().invoke(app, ["doctor", "--scheduler-address", "tcp://127.0.0.1:9"], standalone_mode=False)
    lines = done.stdout.splitlines()
    assert done.return_value == 5
    assert [line for line in lines if line.startswith("problem  codecs: OSError: no such codec")]
    assert [line for line in lines if line.startswith("problem  workers: [E_NO_SCHEDULER]")]
    assert [line for line in lines if line.startswith("ok       reader tiff")]


def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = {check.name: check for check in examine(ClusterOptions(cluster="none"), tmp_path / "file" / "out")}
    assert found["out"].state == "problem"
    assert found["out"].text.startswith(
        f"{tmp_path / 'file' / 'out'} cannot be written (Not a directory): free some space"
    )
