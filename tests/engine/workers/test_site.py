"""Site files: every mistake is told at once, nothing unknown passes, and the example in the documentation is a right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tile_engine.engine.workers.site import Site, find_site, read_site
from tile_engine.errors import SettingsError

EXAMPLE = Path(__file__).parents[3] / "docs" / "site.example.yaml"
SLURM = "slurm: {cores: 2, memory: 4GB}"


def refused(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read_site(text, "site.yaml")
    assert caught.value.code == "E_SITE" and caught.value.exit_status == 2
    return caught.value.message


def test_the_example_in_the_documentation_is_a_site() -> None:
    site = find_site(EXAMPLE)
    jobs = site.jobs("slurm")
    assert (site.cluster, site.adapt, jobs.cores, jobs.queue, jobs.lifetime) == ("slurm", "2:20", 8, "main", "110m")
    assert site.jobs("pbs").queue == "workq"


def test_unknown_keys_are_refused_with_what_may_have_been_meant_all_of_them_at_once() -> None:
    said = refused("clutser: slurm\nslurm: {cores: 0, memory: 4GB, qeue: main}")
    assert "'clutser', did you mean 'cluster'?" in said
    assert "'slurm.qeue', did you mean 'queue'?" in said
    assert "slurm.cores = 0: give a whole number, 1 or more" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slurm: {cores: 2}", "key 'slurm.memory' is missing"),
        ("a: [", "is not valid YAML"),
        ("- slurm", "holds a list"),
        ("slurm: 7", "slurm = 7"),
        ("slurm: {cores: 2, memory: 4GB, lifetime: soon}", "slurm.lifetime = 'soon'"),
        ('slurm: {cores: 2, memory: 4GB, account: "a\\n#SBATCH -p b"}', "slurm.account"),
        ("htcondor: {cores: 2, memory: 4GB, disk: 1GB, walltime: '1:00'}", "htcondor.walltime"),
        ("cluster: moon", "cluster = 'moon'"),
        ("x: !!python/object/apply:os.getcwd []", "is not valid YAML"),
    ],
)
def test_what_cannot_be_is_named_with_its_place(text: str, said: str) -> None:
    assert said in refused(text)


def test_a_small_file_that_stands_for_a_huge_value_is_refused_in_a_line() -> None:
    levels = "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 12))
    assert len(refused(f"x0: &x0 [a]\n{levels}\nslurm: *x11")) < 3000


def test_a_queue_without_a_section_says_where_one_is_written() -> None:
    with pytest.raises(SettingsError, match=r"section `pbs:`.*site\.yaml") as caught:
        read_site(SLURM, "site.yaml").jobs("pbs")
    assert caught.value.code == "E_SITE"


def test_the_option_goes_before_the_variable_and_that_before_the_usual_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("TILE_ENGINE_SITE", raising=False)
    assert find_site() == Site(), "a site file is no duty"
    places = [tmp_path / "tile-engine" / "site.yaml", tmp_path / "variable.yaml", tmp_path / "option.yaml"]
    places[0].parent.mkdir()
    for number, path in enumerate(places, 1):
        path.write_text(f"workers: {number}\n")
    assert find_site().workers == 1
    monkeypatch.setenv("TILE_ENGINE_SITE", str(places[1]))
    assert (find_site().workers, find_site(places[2]).workers) == (2, 3)


def test_a_site_file_that_is_named_must_be_there_and_of_a_sane_size(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no site file"):
        find_site(tmp_path / "none.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * 200_000)
    with pytest.raises(SettingsError, match="larger than"):
        find_site(tmp_path / "large.yaml")
    with pytest.raises(SettingsError, match="cannot be read"):
        find_site(tmp_path)
