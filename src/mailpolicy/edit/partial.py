"""An edit of a few accounts of a large store: their own lines are parsed and proved, the rest is proved by its bytes.

Promises: where the edited lines are whole tables again, of the same accounts, and parse alone to what was meant, then
so does the whole store, as all other bytes are the old ones. What cannot be shown so is left to a proof of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mailpolicy.edit.plan import Plan
from mailpolicy.edit.text.diff import Splice
from mailpolicy.policy.names import account_address
from mailpolicy.store import outline
from mailpolicy.store.outline import Piece
from mailpolicy.store.store import FEW, Store


def within_accounts(plan: Plan) -> bool:
    """Whether a plan changes nothing but keys in accounts' own tables."""
    return all(len(operation.path) == 3 and operation.path[0] == "accounts" for operation in plan.operations)


def narrowed(store: Store, plan: Plan) -> Store:
    """A large store cut down to the accounts that a plan is about, where it is about the keys of a few."""
    if store.cut is not None or store.cache is None or not within_accounts(plan):
        return store
    keys = {operation.path[1] for operation in plan.operations}
    if len(keys) > FEW or (found := outline.outline(store.text)) is None:
        return store
    found = outline.in_bytes(found, store.text, len(store.bom))
    wanted = [piece for piece in found.accounts if piece.key in keys]
    smaller = store.cut_down(outline.cut(store.data, [*found.head, *wanted]))
    return smaller if len(wanted) == len(keys) == len(smaller.tree.get("accounts", ())) else store


def touched(store: Store, splices: Sequence[Splice]) -> dict[Piece, list[Splice]] | None:
    """The splices of each account's piece, counted in bytes of the file; None where one is outside of all."""
    assert store.cut is not None
    found: dict[Piece, list[Splice]] = {}
    text, first = store.text, len(store.bom)
    for start, end, new in splices:
        begin = first + len(text[:start].encode("utf-8"))
        stop = begin + len(text[start:end].encode("utf-8"))
        if (piece := store.cut.whose(begin, stop)) is None:
            return None
        shift = piece.start - store.cut.place(piece)
        found.setdefault(piece, []).append(Splice(begin + shift, stop + shift, new))
    return found


def proved(store: Store, wanted: Mapping[str, Any], parts: Mapping[Piece, Sequence[Splice]]) -> bool:
    """Whether each edited piece is, by itself, the whole table that is wanted of its account."""
    for piece, splices in parts.items():
        new = rewritten(store, piece, splices)
        following = store.data[piece.end : piece.end + outline.LONGEST_HEADER].decode("utf-8", "replace")
        after = following.partition("\n")[0] if piece.end != len(store.data) else None
        if outline.key_of("\n", new, after) != piece.key:
            return False
        if Store(store.path, new.encode("utf-8")).tree != {"accounts": {piece.key: wanted["accounts"][piece.key]}}:
            return False
    return True


def rewritten(store: Store, piece: Piece, splices: Sequence[Splice]) -> str:
    """What a piece says after its splices."""
    old = store.data[piece.start : piece.end]
    parts: list[str] = []
    position = 0
    for start, end, new in splices:
        parts += (old[position : start - piece.start].decode("utf-8"), new)
        position = end - piece.start
    return "".join([*parts, old[position:].decode("utf-8")])


def grown(store: Store, parts: Mapping[Piece, Sequence[Splice]]) -> dict[str, tuple[int, int]]:
    """By how many bytes and lines the lines of each account grow."""
    growth = {}
    for piece, splices in parts.items():
        size = sum(len(new.encode("utf-8")) - (end - start) for start, end, new in splices)
        lines = sum(new.count("\n") - store.data.count(b"\n", start, end) for start, end, new in splices)
        growth[account_address(piece.key or "")] = (size, lines)
    return growth


def in_whole(store: Store, parts: Mapping[Piece, Sequence[Splice]]) -> list[Splice]:
    """The splices counted in characters of the whole file's text."""
    first = len(store.bom)
    ordered = sorted(splice for splices in parts.values() for splice in splices)
    if store.data.isascii():
        return [Splice(start - first, end - first, new) for start, end, new in ordered]
    placed, position, characters = [], first, 0
    for start, end, new in ordered:
        characters += len(store.data[position:start].decode("utf-8"))
        length = len(store.data[start:end].decode("utf-8"))
        placed.append(Splice(characters, characters + length, new))
        characters, position = characters + length, end
    return placed


def joined(store: Store, parts: Mapping[Piece, Sequence[Splice]]) -> bytes:
    """The whole file with the splices made."""
    pieces: list[bytes | memoryview] = []
    position = 0
    for start, end, new in sorted(splice for splices in parts.values() for splice in splices):
        pieces += (memoryview(store.data)[position:start], new.encode("utf-8"))
        position = end
    return b"".join([*pieces, memoryview(store.data)[position:]])
