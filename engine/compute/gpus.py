"""GPUs of this machine, listed without opening a CUDA context, so that the command's own process never occupies a GPU."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or a MIG slice of one."""

    name: str
    uuid: str

    def __str__(self) -> str:
        return f"{self.name} ({self.uuid})"


def gpus() -> tuple[Gpu, ...]:
    """GPUs that this process may use, in CUDA's order; none without a driver."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    try:
        output = subprocess.run([command, "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # without an answer no GPU can be used
        return ()
    return visible(parse_list(output), os.environ.get("CUDA_VISIBLE_DEVICES"))


def parse_list(text: str) -> tuple[Gpu, ...]:
    """GPUs in the output of `nvidia-smi -L`; of a GPU with MIG slices, the slices.

    >>> cut = "GPU 1: NVIDIA H200 (UUID: GPU-2b)\\n  MIG 1g.18gb Device 0: (UUID: MIG-3c)"
    >>> parse_list(f"GPU 0: NVIDIA H200 (UUID: GPU-1a)\\n{cut}")
    (Gpu(name='NVIDIA H200', uuid='GPU-1a'), Gpu(name='NVIDIA H200 MIG 1g.18gb', uuid='MIG-3c'))
    """
    cards: list[Gpu] = []
    gpu = ""
    for line in text.splitlines():
        gpu_match = re.match(r"GPU \d+: (.+) \(UUID: (GPU-[^)]+)\)", line)
        mig_match = re.match(r"\s+(MIG \S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)", line)
        if gpu_match:
            gpu = gpu_match[1]
            cards.append(Gpu(gpu, gpu_match[2]))
        elif mig_match:
            if cards and cards[-1].uuid.startswith("GPU-"):
                cards.pop()
            cards.append(Gpu(f"{gpu} {mig_match[1]}", mig_match[2]))
    return tuple(cards)


def visible(cards: tuple[Gpu, ...], selection: str | None) -> tuple[Gpu, ...]:
    """GPUs that CUDA_VISIBLE_DEVICES selects, by number or UUID; like CUDA, up to the first that does not exist.

    >>> cards = (Gpu("A", "GPU-1a"), Gpu("B", "GPU-2b"))
    >>> [gpu.name for gpu in visible(cards, "1,0")], visible(cards, ""), [gpu.name for gpu in visible(cards, "GPU-2")]
    (['B', 'A'], (), ['B'])
    """
    if selection is None:
        return cards
    visible_cards: list[Gpu] = []
    for word in filter(None, (w.strip() for w in selection.split(","))):
        hits = cards[int(word) : int(word) + 1] if word.isdecimal() else [g for g in cards if g.uuid.startswith(word)]
        if not hits:
            break
        visible_cards.append(hits[0])
    return tuple(visible_cards)


def gpu_fault() -> str:
    """Why torch cannot use this process's GPU; empty if it can. Opens a CUDA context: only workers call it."""
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA: install its CUDA build there, or use --cluster local"
    try:
        if not torch.cuda.is_available():
            return (
                f"torch {torch.__version__} (CUDA {torch.version.cuda}) cannot use the card: "
                "see `nvidia-smi` there; the driver may be too old"
            )
        torch.zeros(1, device="cuda").add_(1).item()
    except (RuntimeError, AssertionError) as error:  # no kernels for this GPU, or a failing GPU
        return f"torch {torch.__version__} fails on the card ({' '.join(str(error).split())[:200]})"
    return ""
