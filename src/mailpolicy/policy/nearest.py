"""Find the known name that a mistyped one was meant to be: an account, another named thing or a key.

No suggestion is better than somebody else's account. The local part and the domain of an address are compared
separately, so that a long common domain does not make two people alike. The answer is the same whether all names are in
memory or only those near the mistyped one were read, and the work is bounded for any number and length of names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

COMPARE_ALL_UP_TO = 2000  # names; of more, only the two following kinds are compared
NEIGHBOURS = 400  # names before and after the mistyped one in alphabetical order
SAME_LOCAL_PART = 100  # addresses with the same local part in another domain
MAX_GUESSES = 100  # problems of one file that get a suggestion
_MAX_LENGTH = 253  # characters of a name that gets a suggestion

Distance = Callable[[str, str], "int | None"]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` is a slip of, or None if there is none or more than one."""
    names = list(known)
    return _only_nearest(name, names if len(names) <= COMPARE_ALL_UP_TO else _neighbours(name, names), _slips)


def nearest_address(address: str, known: Iterable[str]) -> str | None:
    """Return the known address that `address` is a slip of, or None if there is none or more than one."""
    names = list(known)
    return nearest_among(address, names if len(names) <= COMPARE_ALL_UP_TO else _neighbours(address, names))


def nearest_among(address: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that `address` is a slip of; all of them are compared."""
    return _only_nearest(address, candidates, _address_slips)


def nearest_key(name: str, known: Iterable[str]) -> str | None:
    """Return the known key most like `name`; less likeness is enough, as keys are few and belong to nobody."""
    from difflib import get_close_matches  # costs start-up, and only a mistake needs it

    if len(name) > _MAX_LENGTH:
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
    if len(name) > _MAX_LENGTH:
        return None
    found: list[tuple[int, str]] = []
    for candidate in candidates:
        if (slips := distance(name, candidate)) is not None:
            found.append((slips, candidate))
    found.sort()
    # Two candidates with equally few slips: suggesting either could name somebody else's account.
    if not found or (len(found) > 1 and found[1][0] == found[0][0]):
        return None
    return found[0][1]


def _address_slips(address: str, other: str) -> int | None:
    """Return the number of slips between two addresses that differ in one part, or None if there are too many."""
    local, _, domain = address.rpartition("@")
    other_local, _, other_domain = other.rpartition("@")
    if domain == other_domain:
        return _slips(local, other_local)
    return _slips(domain, other_domain) if local == other_local else None


def _slips(name: str, other: str) -> int | None:
    """Return the number of slips between two names: a letter too many, too few, replaced, or two swapped.

    Return None if they are two names: a slip is rarely in the first letter, short names differ by one, and digits
    count.
    """
    most = 0 if len(name) < 3 else 1 if len(name) < 6 else 2
    if name == other:
        return 0
    if abs(len(name) - len(other)) > most or name[:1] != other[:1] or _digits(name) != _digits(other):
        return None
    return _edits(name, other, most)


def _digits(name: str) -> str:
    return "" if name.isalpha() else "".join(filter(str.isdigit, name))


def _edits(name: str, other: str, most: int) -> int | None:
    """Return the optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours.

    Return None if it is greater than `most`. What the two have in common is compared by slices, which takes a tenth of the
    time of a table: a store may have a hundred wrong names and two thousand to compare each with.
    """
    if name == other:
        return 0
    if abs(len(name) - len(other)) > most or most == 0:
        return None
    at = _first_difference(name, other)
    name, other = name[at:], other[at:]
    rests = [(name[1:], other[1:]), (name[1:], other), (name, other[1:])]
    if len(name) > 1 and name[:2] == other[1::-1]:
        rests.append((name[2:], other[2:]))
    found = [edits for one, two in rests if (edits := _edits(one, two, most - 1)) is not None]
    return 1 + min(found) if found else None


def _first_difference(name: str, other: str) -> int:
    same, most = 0, min(len(name), len(other))
    while same < most:
        middle = (same + most + 1) // 2
        if name[same:middle] == other[same:middle]:
            same = middle
        else:
            most = middle - 1
    return same


def _neighbours(name: str, names: Sequence[str]) -> set[str]:
    from heapq import nlargest, nsmallest

    first, end = same_local_part_range(name)
    return {
        *nlargest(NEIGHBOURS, [other for other in names if other < name]),
        *nsmallest(NEIGHBOURS, [other for other in names if other >= name]),
        *nsmallest(SAME_LOCAL_PART, [other for other in names if first <= other < end]),
    }


def same_local_part_range(name: str) -> tuple[str, str]:
    """Return the half-open range of all addresses with this local part: the first, and the end beyond the last."""
    local = name.partition("@")[0]
    return f"{local}@", f"{local}A"  # in ASCII the letter A follows the @
