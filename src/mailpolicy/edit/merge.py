"""Merge two changes of one store, account by account; the head, which is all that is no account's, as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mailpolicy.store import outline
from mailpolicy.store.store import Store


class _Pieces(NamedTuple):
    """The lines of a store in their order, each with the key of their account, or None for the head's."""

    ordered: list[tuple[str | None, str]]

    @property
    def head(self) -> list[str]:
        return [text for key, text in self.ordered if key is None]

    @property
    def accounts(self) -> dict[str, str]:
        return {key: text for key, text in self.ordered if key is not None}


def merged(base: Store, mine: Store, theirs: Store) -> Store | None:
    """Return a store with the changes that both made of `base`, or None if they are about the same lines.

    Whoever changed the head gives the result its order; the accounts that the other changed are put into it. None also if
    one of the three has errors, or is written in a way that does not part the accounts.
    """
    if not all(store.is_valid for store in (base, mine, theirs)) or len({mine.bom, theirs.bom}) > 1:
        return None
    found = [_pieces(store.text) for store in (base, mine, theirs)]
    old, own, other = found
    if old is None or own is None or other is None:
        return None
    if other.head == old.head:
        frame, put, trees = own, other, (mine.tree, theirs.tree)
    elif own.head in (old.head, other.head):
        frame, put, trees = other, own, (theirs.tree, mine.tree)
    else:
        return None
    before, there, wanted = old.accounts, frame.accounts, put.accounts
    changed = [key for key in {**before, **wanted} if before.get(key) != wanted.get(key)]
    if any(there.get(key) not in (before.get(key), wanted.get(key)) for key in changed):
        return None
    text = _joined(_placed(frame.ordered, put.ordered, changed))
    result = Store(mine.path, mine.bom + text.encode("utf-8"))
    return result if result.is_valid and result.tree == _tree(*trees, changed) else None


def _pieces(text: str) -> _Pieces | None:
    found = outline.outline(text)
    if found is None:
        return None
    pieces = sorted((*found.head, *found.accounts), key=lambda piece: piece.start)
    return _Pieces([(piece.key, text[piece.start : piece.end]) for piece in pieces])


def _placed(
    frame: list[tuple[str | None, str]], put: list[tuple[str | None, str]], changed: list[str]
) -> list[tuple[str | None, str]]:
    """Return the pieces of `frame` with those accounts as they are in `put`: changed, removed, or behind the same one."""
    wanted = {key: text for key, text in put if key is not None}
    result = [
        (key, wanted.get(key, text) if key in changed else text) for key, text in frame if _stays(key, wanted, changed)
    ]
    previous: str | None = None
    for key, text in put:
        if key in changed and all(key != one for one, _ in result):
            places = [index for index, (one, _) in enumerate(result) if one == previous]
            result.insert(places[-1] + 1 if places else len(result), (key, text))
        previous = key
    return result


def _stays(key: str | None, wanted: Mapping[str, str], changed: list[str]) -> bool:
    return key is None or key not in changed or key in wanted


def _joined(pieces: list[tuple[str | None, str]]) -> str:
    """Return the text; a piece that was the last of its file may lack its line ending."""
    texts = [text for _, text in pieces]
    newline = "\r\n" if any("\r\n" in text for text in texts) else "\n"
    return "".join([*(text if text.endswith("\n") else text + newline for text in texts[:-1]), *texts[-1:]])


def _tree(frame: Mapping[str, Any], put: Mapping[str, Any], changed: list[str]) -> dict[str, Any]:
    """Return the tree that the merged text must have."""
    accounts = dict(frame.get("accounts", {}))
    for key in changed:
        accounts.pop(key, None)
        if key in put.get("accounts", {}):
            accounts[key] = put["accounts"][key]
    tree = {key: value for key, value in frame.items() if key != "accounts"}
    return {**tree, "accounts": accounts} if accounts else tree
