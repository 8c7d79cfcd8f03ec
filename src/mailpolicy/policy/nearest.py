"""The known name that a mistyped one was meant to be: of accounts, of other things with names, and of keys.

Promises: rather none than somebody else's; an account is meant by its local part and its domain, each compared for itself,
so that a long domain carries nobody. The same answer whether the names are all in memory or only those around the mistyped
one were looked up; what is compared is bounded, however many names there are and however long they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

FEW = 2000  # so many names are all compared
AROUND = 400  # of more names these, before and after the mistyped one in the order of the alphabet
ELSEWHERE = 100  # and these, with the same local part in another domain
MOST_GUESSES = 100  # problems of one file for which a name is looked for
_LONGEST = 253  # characters of a name that may be a mistyped one

Distance = Callable[[str, str], "int | None"]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name, a template's for example, that `name` is a slip of; None if there is none or more than one."""
    names = list(known)
    return _only_nearest(name, names if len(names) <= FEW else _around(name, names), _slips)


def nearest_address(address: str, known: Iterable[str]) -> str | None:
    """The known address that `address` is a slip of; None if there is none or more than one."""
    names = list(known)
    return most_like(address, names if len(names) <= FEW else _around(address, names))


def most_like(address: str, candidates: Iterable[str]) -> str | None:
    """The candidate that an address is a slip of, every one compared."""
    return _only_nearest(address, candidates, _address_slips)


def nearest_key(name: str, known: Iterable[str]) -> str | None:
    """The known key most like `name`; keys are few and nobody's, so that less likeness suffices."""
    from difflib import get_close_matches  # costs start-up, and only a mistake needs it

    if len(name) > _LONGEST:
        return None
    folded = name.lower().replace("-", "_")
    words = folded.split("_")
    for key in get_close_matches(folded, list(known), n=3, cutoff=0.7):
        others = key.split("_")
        if len(words) == 1 or len(words) != len(others):
            return key
        # `smtp_lan_only` has much in common with `imap_lan_only`, and is about something else.
        if all(_slips(word, other) is not None for word, other in zip(words, others, strict=True)):
            return key
    return None


def _only_nearest(name: str, candidates: Iterable[str], distance: Distance) -> str | None:
    if len(name) > _LONGEST:
        return None
    found: list[tuple[int, str]] = []
    for candidate in candidates:
        if (slips := distance(name, candidate)) is not None:
            found.append((slips, candidate))
    found.sort()
    if not found or (len(found) > 1 and found[1][0] == found[0][0]):
        return None
    return found[0][1]


def _address_slips(address: str, other: str) -> int | None:
    """How many slips of the keyboard lie between two addresses, all in one part; None if they are too many for that."""
    local, _, domain = address.rpartition("@")
    other_local, _, other_domain = other.rpartition("@")
    if domain == other_domain:
        return _slips(local, other_local)
    return _slips(domain, other_domain) if local == other_local else None


def _slips(name: str, other: str) -> int | None:
    """How many slips lie between two names: letters too many, too few, others, or two in the wrong order.

    None if they are two names: a slip is rarely in the first letter, short names differ by one, and numbers count.
    """
    most = 0 if len(name) < 3 else 1 if len(name) < 6 else 2
    if name == other:
        return 0
    if abs(len(name) - len(other)) > most or name[:1] != other[:1] or _digits(name) != _digits(other):
        return None
    slips = _edits(name, other)
    return slips if slips <= most else None


def _digits(name: str) -> str:
    return "" if name.isalpha() else "".join(filter(str.isdigit, name))


def _edits(name: str, other: str) -> int:
    """The optimal string alignment distance: how many letters to put in, take out, change, or swap with the next."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(name, 1):
        earlier, before, row = before, row, [i]
        for j, against in enumerate(other, 1):
            edits = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and name[i - 2] == against:
                edits = min(edits, earlier[j - 2] + 1)
            row.append(edits)
    return row[-1]


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
