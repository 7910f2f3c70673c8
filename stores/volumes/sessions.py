"""Sessions: rows of a table of participants that has a row a session, as longitudinal studies write them."""

from __future__ import annotations

import re
from collections.abc import Mapping

SESSION_COLUMNS = frozenset({"session_id", "session", "ses"})
"""Columns that name a session, in small letters."""
_SESSION = re.compile(r"(?:^|[/_])ses-([A-Za-z0-9]+)(?=[/_.]|$)")


def session_in(name: str) -> str:
    """The session in a path; empty if there is none.

    >>> session_in("sub-07/ses-02/anat/sub-07_ses-02_T1w.nii.gz"), session_in("sub-07_T1w.nii.gz")
    ('02', '')
    """
    found = _SESSION.search(name)
    return found[1] if found else ""


def session_of(values: Mapping[str, str]) -> str:
    """The session of a row, without `ses-`; empty where no column names one.

    >>> session_of({"session_id": "ses-02", "age": "7"}), session_of({"age": "7"})
    ('02', '')
    """
    stated = next((value for name, value in values.items() if name.strip().lower() in SESSION_COLUMNS), "")
    return "" if stated.lower() == "n/a" else stated.removeprefix("ses-")


def row_of(rows: Mapping[tuple[str, str], dict[str, str]], subject: str, name: str) -> dict[str, str]:
    """The row of a file's subject and session from rows by (subject, session, empty where the subject has one row)."""
    return dict(rows.get((subject, session_in(name)), rows.get((subject, ""), {})))
