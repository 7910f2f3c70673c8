"""Spellings: values of a column that differ in case or blanks alone are one value, and so are the usual words for a sex.

The most frequent spelling stands for all, of equally frequent ones the first in the list. "AD" and "ad" are one class, "Site 1"
and "site1" one site, "P01" and "p01" one subject; "M", "male" and "Man" are one sex. Whatever is joined is named. Columns that
name files, columns of numbers, and columns whose values mostly stand once, such as comments, stay as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from .cells import number_column
from .headings import names_classes

SEXES = {
    **dict.fromkeys(("m", "male", "man", "men", "mann", "männlich", "maennlich", "masculin", "homme", "hombre"), "m"),
    **dict.fromkeys(
        ("f", "female", "woman", "women", "w", "frau", "weiblich", "féminin", "feminin", "femme", "mujer"), "f"
    ),
    **dict.fromkeys(("o", "other", "others", "d", "divers", "diverse", "non-binary", "nonbinary"), "o"),
}
"""Word for a sex, in small letters -> one letter for it."""
SEX_COLUMNS = frozenset({"sex", "gender"})
NOT_JOINED = frozenset({
    "path", "mask", "tissue_mask", "landmarks", "part", "mpp", "order", "reference", "split",
})  # fmt: skip
"""Columns that name files, hold numbers, or whose words are read in any case."""
ALWAYS_JOINED = frozenset({"subject", "site", "label", "sex"})
"""Columns that are joined however many values they have, as are those that name classes."""
MAX_CLASSES = 12
"""Values from which on a column is taken for names or comments, where they are more than a third of the rows."""


def plain_spelling(text: str) -> str:
    """A value without case and blanks, and with its letters composed; blanks between digits part two numbers, and stay.

    >>> plain_spelling(" Site 1"), plain_spelling("H & E"), plain_spelling("1 2")
    ('site1', 'h&e', '1 2')
    """
    text = unicodedata.normalize("NFKC", text).strip().casefold()
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", re.sub(r"\s+", " ", text))


def sex_of(text: str) -> str:
    """One letter for a sex: m, f or o; of any other word its plain spelling.

    >>> sex_of("Male"), sex_of("W"), sex_of("2")
    ('m', 'f', '2')
    """
    plain = plain_spelling(text)
    return SEXES.get(plain, plain)


def same_values(column: str, texts: Sequence[str], classes: Collection[str] = ()) -> dict[str, str]:
    """Spelling -> the spelling that stands for it, of those that are another's. `classes`: columns that users call classes.

    >>> same_values("diagnosis", ["AD", "ad", "AD ", "CN"]), same_values("sex", ["M", "male", "F"])
    ({'ad': 'AD', 'AD ': 'AD'}, {'male': 'M'})
    """
    if column in NOT_JOINED:
        return {}
    plain = sex_of if column.casefold() in SEX_COLUMNS else plain_spelling
    counts = Counter(text for text in texts if text.strip())
    groups: dict[str, list[str]] = {}
    for text in counts:
        groups.setdefault(plain(text), []).append(text)
    several = [spellings for spellings in groups.values() if len(spellings) > 1]
    is_class = column in ALWAYS_JOINED or column in classes or names_classes(column)
    are_names = len(groups) > MAX_CLASSES and 3 * len(groups) > counts.total()
    if not several or (not is_class and (are_names or number_column(texts, column) is not None)):
        return {}
    chosen = {text: max(spellings, key=lambda one: counts[one]) for spellings in several for text in spellings}
    return {text: one for text, one in chosen.items() if text != one}


def says_same(column: str, one: str, other: str) -> bool:
    """Whether two cells of a column have one value, whatever their spelling.

    >>> says_same("dx", "AD", "ad "), says_same("sex", "M", "male"), says_same("mask", "A.nii", "a.nii")
    (True, True, False)
    """
    plain = sex_of if column.casefold() in SEX_COLUMNS else plain_spelling
    return one == other or (column not in NOT_JOINED and plain(one) == plain(other))


def listed_spelling(text: str, known: Collection[str]) -> str:
    """The value of a list that a user means, in another case or with other blanks; the text as it is where there is none.

    >>> listed_spelling("site1", ["Site 1", "Site 2"]), listed_spelling("Site 3", ["Site 1"])
    ('Site 1', 'Site 3')
    """
    return text if text in known else next((one for one in known if plain_spelling(one) == plain_spelling(text)), text)


def are_spelt(texts: Iterable[str], word: str) -> list[bool]:
    """Whether each text is a word, in any case and with any blanks.

    >>> are_spelt(["No finding", "nofinding ", "Mass", ""], "no finding")
    [True, True, False, False]
    """
    texts = list(texts)
    known = {text: plain_spelling(text) == plain_spelling(word) for text in set(texts)}
    return [known[text] for text in texts]


def joined_rows(
    rows: Sequence[Mapping[str, str]], classes: Collection[str] = ()
) -> tuple[list[dict[str, str]], list[str]]:
    """(rows of which every column has one spelling a value, what was joined in words, a text for each column)."""
    names = dict.fromkeys(name for row in rows for name in row)
    same = {name: same_values(name, [row.get(name, "") for row in rows], classes) for name in names}
    joined = [{name: same[name].get(value, value) for name, value in row.items()} for row in rows]
    return joined, [_joined_text(name, "; ".join(_said(same[name], rows, name))) for name in names if same[name]]


def _joined_text(column: str, joined: str) -> str:
    alike = "mean one sex" if column.casefold() in SEX_COLUMNS else "differ in case or blanks alone"
    return f"spellings in the column `{column}` that {alike} are one value: {joined}"


def _said(same: Mapping[str, str], rows: Sequence[Mapping[str, str]], column: str) -> Iterator[str]:
    counts = Counter(row.get(column, "") for row in rows)
    for one in dict.fromkeys(same.values()):
        others = ", ".join(f"{text!r} ({counts[text]})" for text, stands in same.items() if stands == one)
        yield f"{others} taken for {one!r} ({counts[one]})"
