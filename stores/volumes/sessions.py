"""Sessions: rows of a table of participants that has a row a session, as longitudinal studies write them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ..lists.subject_names import match_subjects

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


def sessions_matched(listed: Collection[str], present: Collection[str]) -> dict[str, str]:
    """Session of a subject's rows -> session of its images, each empty where none is stated.

    The one row of a subject whose images name no session is theirs, whatever session it states.

    >>> sessions_matched(["1", "M06"], ["01", "m6", "03"]), sessions_matched(["2"], [""])
    ({'1': '01', 'M06': 'm6'}, {'2': ''})
    """
    if len(listed) == 1 and not any(present):
        return dict.fromkeys(listed, "")
    return match_subjects([one for one in listed if one], [one for one in present if one]) | {
        one: "" for one in listed if not one
    }
