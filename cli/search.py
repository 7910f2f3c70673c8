"""search: the command that finds the cases most similar to a given one, and the table that it prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..engine.pipeline.option import FIND, WRITE
from .from_settings import AsJson, Given, OutArgument
from .say import say

if TYPE_CHECKING:
    from ..engine.search.add import Added
    from ..engine.search.hits import Hits

Query = Annotated[
    str | None,
    typer.Option(
        "--query",
        help="A case of the run (its id, name or path), or a file. In a run on tiles: a slide with --at, or a small "
        "picture.",
        rich_help_panel=FIND,
    ),
]
Count = Annotated[int, typer.Option("-k", help="Number of cases to find.", rich_help_panel=FIND)]
At = Annotated[
    str | None,
    typer.Option("--at", help="Position of the tile on the slide: Y,X in micrometres.", rich_help_panel=FIND),
]
Mpp = Annotated[
    float | None,
    typer.Option(
        "--mpp",
        min=0.001,
        max=1000.0,
        help="Micrometres a pixel of a picture that is not in the run. [default: as it states, else the run's spacing]",
        rich_help_panel=FIND,
    ),
]
SameSubject = Annotated[
    bool,
    typer.Option(
        "--same-subject",
        help="Include cases of the query's own subject (of its own slide, if no subject is known).",
        rich_help_panel=FIND,
    ),
]
Add = Annotated[
    list[str] | None,
    typer.Option(
        "--add",
        help="Volumes to add to the index, without training: a folder, glob, file or list (CSV, TSV, XLSX).",
        rich_help_panel=FIND,
    ),
]
Picture = Annotated[
    str | None,
    typer.Option(
        "--picture",
        help="Path of a new PNG of the query and its hits, or none. [default: OUT/searches/ID.png, with the query's id]",
        rich_help_panel=WRITE,
    ),
]


def search(
    out: OutArgument,
    run: Given,
    query: Query = None,
    k: Count = 10,
    at: At = None,
    mpp: Mpp = None,
    same_subject: SameSubject = False,
    add: Add = None,
    picture: Picture = None,
    json: AsJson = False,
) -> int:
    """Find the cases of a run most similar to a query: volumes, or tiles of slides, by the distance of their embeddings."""
    from ..engine.search import search as engine
    from ..engine.search.add import add as add_cases
    from ..errors import SettingsError

    if query is None and not add:
        raise SettingsError("a search needs a query (--query), or volumes to add to the index (--add).")
    if query is not None and picture not in (None, "", "none"):
        engine.check_picture(out, picture)
    if add:
        print_added(add_cases(out, add, **run), as_json=json)
    if query is None:
        return 0
    hits = engine.search(out, query, k=k, at=_position(at), same_subject=same_subject, mpp=mpp)
    path, note = _drawn(hits, picture)
    return print_hits(hits, path, note, as_json=json)


def _position(text: str | None) -> tuple[float, ...] | None:
    from ..errors import SettingsError

    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"--at takes micrometres separated by commas, such as 1200,850; got {text!r}.") from None


def _drawn(hits: Hits, picture: str | None) -> tuple[Path | None, str]:
    """Draw the picture; returns its path and a note. If OUT is read-only and no path was requested, only a note."""
    from ..engine.search import search as engine

    if picture == "none":
        return None, ""
    try:
        return engine.picture(hits, picture), ""
    except OSError as error:
        if picture:
            raise
        return None, f"no picture: {hits.out} cannot be written ({error.strerror}); name a file with --picture"


def print_added(added: Added, *, as_json: bool) -> None:
    """Print the number of added cases, or the cases as JSON."""
    from .tell import print_json

    if as_json:
        facts = {"added": added.added, "known": added.known, "cases": added.cases}
        print_json({"event": "added", "out": added.out, **facts})
        return
    known = f", {len(added.known)} were in the index already" if added.known else ""
    count = len(added.added)
    say(f"{count} case{'' if count == 1 else 's'} added{known}: a search now covers {added.cases} cases")


def print_hits(hits: Hits, picture: Path | None, note: str, *, as_json: bool) -> int:
    """Print the hits, nearest first; returns the exit status."""
    import json

    from ..stores.shown import shown
    from .tell import print_json

    notes = [*hits.notes, *([note] if note else [])]
    if as_json:
        print_json({"event": "result", **json.loads(hits.json()), "notes": notes, "picture": picture, "exit": 0})
        return 0
    left_out = f" ({hits.left_out} of the same subject or slide left out)" if hits.left_out else ""
    query = f"{hits.query.id or hits.query.name}{_where(hits.query)}"
    say(f"nearest to {query} among {hits.searched} cases{left_out}")
    rows: list[tuple[str, ...]] = [("", "distance", "label", "subject", "site", "name", "")]
    rows += [
        (str(h.rank), f"{h.distance:.4g}", h.label, h.subject, h.site, h.name or h.id, _where(h).strip())
        for h in hits.rows
    ]
    rows = [tuple(map(shown, row)) for row in rows]
    columns = [i for i in range(len(rows[0])) if any(row[i] for row in rows[1:])]
    widths = {i: max(len(row[i]) for row in rows) for i in columns}
    for row in rows if len(rows) > 1 else []:
        say("  ".join(row[i].ljust(widths[i]) for i in columns).rstrip())
    if hits.recall < 1:
        say(f"the search is approximate: of ten true neighbours it finds {hits.recall * 10:.1f} on average")
    if picture:
        say(f"picture: {picture}")
    for line in notes:
        say(f"note: {line}", error=True)
    return 0


def _where(case: Any) -> str:
    return f" at {', '.join(f'{v:.0f}' for v in case.centre)} um" if case.centre else ""
