"""Inputs of each modality, as the command line offers them; a module of its own, so that help imports no reader."""

from __future__ import annotations

from ..pipeline.command import Input

SLIDES = Input(
    "slides",
    "Slides: a folder (with its subfolders), a glob, a file, or a list (CSV, TSV, XLSX) with a column `path` and perhaps mpp, "
    "subject, site, stain, scanner, group.",
)
VOLUMES = Input(
    "volumes",
    "Volumes: a folder, a glob, a file, a BIDS tree, an .npz stack, or a list (CSV, TSV, XLSX) with a column `path` and "
    "perhaps subject, site, label, age ...",
)
FILMS = Input(
    "films",
    "Films: a folder (with its subfolders), a glob, a file, a set (.npz, .npy), or a list (CSV, TSV, XLSX) with a column "
    "`path` and perhaps subject, site, label, split ...",
)
SECTIONS = Input(
    "sections",
    "Sections of blocks: a list (CSV, TSV, XLSX) with the columns `path`, `block`, `stain` and perhaps order, reference, "
    "landmarks, mpp, subject ..., a folder (one block a sub-folder, or files named "
    "BLOCK_STAIN), or the OUT of a run on sections.",
)
INPUTS = {one.name: one for one in (SLIDES, VOLUMES, FILMS, SECTIONS)}
