"""version_names: the name of the layer that holds images as of a site, for the run that writes it and those that read it."""

from __future__ import annotations

import re
import zlib

FOLDER = "harmonized"
"""Folder of such layers, below layers/."""


def site_folder(site: str) -> str:
    """Name of a site as a folder: signs that paths cannot have become `-`; where letters are lost, a checksum is added.

    >>> site_folder("Guy's 1.5T"), site_folder("東京")
    ('Guy-s-1.5T', 'site-922642ef')
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", site).strip(".-")
    return plain if plain and site.isascii() else f"{plain or 'site'}-{zlib.crc32(site.encode()):08x}"


def version_name(site: str) -> str:
    """Name of the layer of images as of a site, below layers/.

    >>> version_name("B")
    'harmonized/B'
    """
    return f"{FOLDER}/{site_folder(site)}"
