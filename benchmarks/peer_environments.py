"""Environments of the peers: one a peer, made from the package index once and kept, never with CUDA."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parent.parent / "constraints.txt"
PACKAGES: dict[str, tuple[str, ...]] = {
    "openslide": ("openslide-python==1.4.7", "openslide-bin==4.0.1.2", "numpy==2.4.6"),
    "tiffslide": ("tiffslide==3.0.1", "imagecodecs==2026.3.6"),
    "fastslide": ("fastslide==0.8.1", "numpy==2.4.6"),
    "ngff-zarr": ("ngff-zarr==0.50.0", "zarr==3.1.6", "imagecodecs==2026.3.6", "tifffile==2026.3.3"),
    "ome-zarr-py": ("ome-zarr==0.18.0", "imagecodecs==2026.3.6", "tifffile==2026.3.3"),
    "lazyslide": ("lazyslide==0.13.0", "torch==2.13.0"),
}
INSTALL_LIMIT = 1800
"""Seconds for the packages of one environment."""


class UnavailableError(Exception):
    """The environment of a peer cannot be made; the message is the reason."""


_FAILED: dict[str, str] = {}
"""Peers that could not be installed by this process, with the reason: none is tried twice."""


def python_of(peer: str, folder: Path) -> Path:
    """The interpreter of the peer's environment, which is made now if it is not there. Raises `UnavailableError`."""
    if peer in _FAILED:
        raise UnavailableError(_FAILED[peer])
    try:
        return _made(folder / peer, PACKAGES[peer])
    except UnavailableError as error:
        _FAILED[peer] = str(error)
        raise


def _made(home: Path, packages: tuple[str, ...]) -> Path:
    python, stamp = home / "bin" / "python", home / "installed.json"
    if stamp.exists() and json.loads(stamp.read_text()) == list(packages):
        return python
    print(f"  installs {' '.join(packages)} into {home}", file=sys.stderr)
    _run([sys.executable, "-m", "venv", "--clear", str(home)])
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    constraints = home / "constraints.txt"
    constraints.write_text("".join(f"{line}\n" for line in CONSTRAINTS.read_text().split() if line.startswith("torch")))
    for torch in (package for package in packages if package.startswith("torch")):
        _check_no_cuda([*install, "-c", str(constraints), torch], home)
    _run([*install, "-c", str(constraints), *packages])
    stamp.write_text(json.dumps(list(packages)))
    return python


def _check_no_cuda(install: list[str], home: Path) -> None:
    """Look at what torch would bring before any of it is downloaded: gigabytes, where the index has CUDA's torch alone."""
    report = home / "torch.json"
    _run([*install, "--dry-run", "--report", str(report)])
    names = [one["metadata"]["name"] for one in json.loads(report.read_text())["install"]]
    if cuda := [name for name in names if name.startswith(("nvidia", "cuda", "triton"))]:
        raise UnavailableError(
            f"torch would bring CUDA ({len(cuda)} packages such as {cuda[0]}): "
            "give pip the wheels for CPUs (PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS)"
        )


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"not installed within {INSTALL_LIMIT} s") from error
    if done.returncode:
        raise UnavailableError(last_line(done.stderr) or f"pip ended with {done.returncode}")


def last_line(text: str) -> str:
    """The last line of an output that says something: an error's message stands there."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
