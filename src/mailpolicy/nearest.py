"""The known name most like a mistyped one.

Promises: the same answer whether the names are all in memory or only those around the mistyped one were looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FEW = 2000  # so many names are all compared
AROUND = 400  # of more names these, before and after the mistyped one in the order of the alphabet
ELSEWHERE = 100  # and these, with the same local part in another domain


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, None where none is much like it."""
    names = list(known)
    return most_like(name, names if len(names) <= FEW else _around(name, names))


def most_like(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, every one compared."""
    from difflib import get_close_matches  # costs start-up, and only a mistake needs it

    matches = get_close_matches(name, list(candidates), n=1, cutoff=0.75)
    return matches[0] if matches else None


def _around(name: str, names: Sequence[str]) -> set[str]:
    from heapq import nlargest, nsmallest

    first, beyond = namesakes(name)
    return {
        *nlargest(AROUND, [other for other in names if other < name]),
        *nsmallest(AROUND, [other for other in names if other >= name]),
        *nsmallest(ELSEWHERE, [other for other in names if first <= other < beyond]),
    }


def namesakes(name: str) -> tuple[str, str]:
    """Between which two names all addresses with the same local part stand: the first, and the one beyond the last."""
    local = name.partition("@")[0]
    return f"{local}@", f"{local}A"  # in ASCII the letter A follows the @
