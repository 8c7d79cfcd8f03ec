"""Edit a few accounts of a large store by parsing only their lines.

If the edited lines of each account are again the whole table of this account, and parse by themselves to the wanted
table, then so does the whole store, because all other bytes stay the same. If this cannot be shown, the whole new text
must be parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mailpolicy.edit.plan import Plan
from mailpolicy.edit.text.diff import Splice
from mailpolicy.policy.names import account_address
from mailpolicy.store import outline
from mailpolicy.store.outline import Piece
from mailpolicy.store.store import MAX_SUBSET_ACCOUNTS, Store

# The splices of each edited account, counted in bytes of the file.
ByPiece = Mapping[Piece, Sequence[Splice]]


def changes_only_account_keys(plan: Plan) -> bool:
    """Return whether a plan changes nothing but keys and sub-tables of accounts."""
    return all(len(operation.path) >= 3 and operation.path[0] == "accounts" for operation in plan.operations)


def is_followed(store: Store) -> bool:
    """Return whether the file goes on where the text of a subset ends."""
    return store.subset is not None and store.subset.pieces[-1].end < len(store.data)


def limited_to_accounts(store: Store, plan: Plan) -> Store:
    """Return a subset with the accounts of a plan if the store is large and the plan is about keys of a few."""
    if store.subset is not None or store.cache is None or not changes_only_account_keys(plan):
        return store
    keys = {operation.path[1] for operation in plan.operations}
    if len(keys) > MAX_SUBSET_ACCOUNTS or (found := outline.outline(store.text)) is None:
        return store
    found = outline.in_bytes(found, store.text, len(store.bom))
    wanted = [piece for piece in found.accounts if piece.key in keys]
    subset = store.as_subset(outline.subset(store.data, [*found.head, *wanted]))
    # An account with lines in the head as well has more in the tree than its piece.
    return subset if len(wanted) == len(keys) == len(subset.tree.get("accounts", ())) else store


def splices_by_piece(store: Store, splices: Sequence[Splice]) -> ByPiece | None:
    """Return the splices of a subset's text by account, or None if one is outside of all accounts."""
    assert store.subset is not None
    found: dict[Piece, list[Splice]] = {}
    text, first = store.text, len(store.bom)
    for start, end, new in splices:
        begin = first + len(text[:start].encode("utf-8"))
        stop = begin + len(text[start:end].encode("utf-8"))
        if (piece := store.subset.piece_at(begin, stop)) is None:
            return None
        shift = piece.start - store.subset.start_of(piece)
        found.setdefault(piece, []).append(Splice(begin + shift, stop + shift, new))
    return found


def is_verified(store: Store, wanted: Mapping[str, Any], by_piece: ByPiece) -> bool:
    """Return whether each edited piece is by itself exactly the wanted table of its account."""
    for piece, splices in by_piece.items():
        new = _spliced(store.data, piece.start, piece.end, splices)
        following = store.data[piece.end : piece.end + outline.LONGEST_HEADER].decode("utf-8", "replace")
        after = following.partition("\n")[0] if piece.end != len(store.data) else None
        if outline.account_key("\n", new.decode("utf-8"), after) != piece.key:
            return False
        if Store(store.path, new).tree != {"accounts": {piece.key: wanted["accounts"][piece.key]}}:
            return False
    return True


def growth(store: Store, by_piece: ByPiece) -> dict[str, tuple[int, int]]:
    """Return the number of bytes and lines that each account grows by."""
    growth = {}
    for piece, splices in by_piece.items():
        size = sum(len(new.encode("utf-8")) - (end - start) for start, end, new in splices)
        lines = sum(new.count("\n") - store.data.count(b"\n", start, end) for start, end, new in splices)
        growth[account_address(piece.key or "")] = (size, lines)
    return growth


def in_characters(store: Store, by_piece: ByPiece) -> list[Splice]:
    """Return the splices counted in characters of the whole file's text, without the byte order mark."""
    placed, position, characters = [], len(store.bom), 0
    for start, end, new in _sorted(by_piece):
        characters += len(store.data[position:start].decode("utf-8"))
        length = len(store.data[start:end].decode("utf-8"))
        placed.append(Splice(characters, characters + length, new))
        characters, position = characters + length, end
    return placed


def new_content(store: Store, by_piece: ByPiece) -> bytes:
    """Return the whole file with the splices made."""
    return _spliced(store.data, 0, len(store.data), _sorted(by_piece))


def _sorted(by_piece: ByPiece) -> list[Splice]:
    return sorted(splice for splices in by_piece.values() for splice in splices)


def _spliced(data: bytes, begin: int, end: int, splices: Iterable[Splice]) -> bytes:
    """Return the bytes `begin` to `end` with the splices made."""
    view = memoryview(data)  # slices of it are no copies of a large file
    parts: list[bytes | memoryview] = []
    for start, stop, new in splices:
        parts += (view[begin:start], new.encode("utf-8"))
        begin = stop
    return b"".join([*parts, view[begin:end]])
