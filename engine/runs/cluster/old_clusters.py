"""old_clusters: the clusters that a finished run shows, from its documents, as a later run reads them.

Its tables are for people, who sort and edit them; they are not read.
"""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import SettingsError, TileEngineError
from ....stores.folder import Folder
from ...pipeline.documents import read_document, read_run
from ...pipeline.settings import settings_of
from ...show.palette import hexadecimal
from .documents import CLUSTERS, Clusters
from .numbering import NUMBERING, Numbering
from .settings import ShownSettings
from .shown import ShownClusters, shown_of


@dataclass(frozen=True, slots=True)
class OldClusters:
    """The clusters that an old run shows, in the order of their numbers."""

    folder: Folder
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    colours: tuple[str, ...]
    """#rrggbb."""


def read_old_clusters(folder: Folder) -> OldClusters:
    """Numbers, names and colours of the level that the run shows, as its user changed them.

    Raises SettingsError (E_MATCH) where the folder is gone, and where its documents are damaged.
    """
    if not folder.out.exists():
        raise SettingsError(
            f"--match {folder.out}: there is no such folder; it was moved or deleted. Name the folder of a finished run, or "
            "leave out --match.",
            "E_MATCH",
        )
    try:
        shown = _shown(folder)
    except TileEngineError as error:
        raise _unusable(folder, error.message.rstrip(".")) from error
    except (ValueError, LookupError) as error:
        raise _unusable(folder, "its documents do not fit together; a file was changed or damaged") from error
    return OldClusters(folder, shown.numbers, shown.names, tuple(map(hexadecimal, shown.colours)))


def _shown(folder: Folder) -> ShownClusters:
    settings = read_run(folder).settings
    tree, numbering = read_document(folder, CLUSTERS, Clusters), read_document(folder, NUMBERING, Numbering)
    if not numbering.fits(tree):
        raise ValueError("another number of clusters")
    return shown_of(tree, numbering, settings_of({n: settings[n] for n in ("level", "classes")}, ShownSettings))


def _unusable(folder: Folder, why: str) -> SettingsError:
    return SettingsError(
        f"--match {folder.out}: the clusters of that run cannot be read ({why}). Repeat the run there, or leave out --match.",
        "E_MATCH",
    )
