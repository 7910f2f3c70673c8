"""Help texts on the accepted inputs of each modality; a module of its own, so that help imports no reader."""

from __future__ import annotations

GIVEN = {
    "slides": "Slides: a folder (with its subfolders), a glob, a file, or a CSV with a column `path` and perhaps mpp, site, "
    "group, subject.",
    "volumes": "Volumes: a folder, a glob, a file, a BIDS tree, an .npz stack, or a CSV or TSV with a column `path` and "
    "perhaps subject, site, label, age ...",
}
"""Name of the modality -> help text of its option."""
