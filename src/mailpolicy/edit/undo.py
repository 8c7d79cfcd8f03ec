"""Plan the way back from an entry of the journal: refused as a whole if anything of it has been changed since."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mailpolicy.edit.history import words
from mailpolicy.edit.history.changes import KeyChange, ListChange, Renaming, Tree, TreeChange, inverse
from mailpolicy.edit.history.entries import Entry, History, addresses_of
from mailpolicy.edit.operations import Add, Amend, Drop, Operation, Path, Put, PutElement, Rename
from mailpolicy.edit.plan import Change, Plan, Result
from mailpolicy.edit.transaction import planned_policy, refuse_invalid
from mailpolicy.errors import Advice, NotFound, Refused, UsageError
from mailpolicy.policy import bindings
from mailpolicy.policy.names import counted, short
from mailpolicy.store.store import Store

_SHORTEST_ID = 4  # characters of an id that stand for the whole


def chosen(history: History, identity: str | None) -> Entry:
    """Return the entry with this id, or the newest that is neither an undo nor undone. Raises NotFound and Refused."""
    edits: list[Entry] = [entry for entry in history.entries if not entry.is_outside]
    if identity is None:
        for entry in edits[::-1]:
            if not entry.aborted and entry.undone_by is None and entry.undoes is None:
                return entry
        raise Refused("there is no edit to undo", file=history.path, code="nothing-to-undo")
    if len(identity) < _SHORTEST_ID:
        raise UsageError(f"{short(identity)} is too short for an id: at least {_SHORTEST_ID} characters of one in log")
    found = [entry for entry in edits if entry.id.startswith(identity)]
    if not found:
        raise NotFound(
            f"there is no entry {identity!a}", file=history.path, code="no-such-entry", fix=("mailpolicy", "log")
        )
    if len(found) > 1:
        names = ", ".join(map(_named, found))
        raise Refused(f"{identity} stands for more than one entry: {names}", file=history.path, code="ambiguous")
    return found[0]


def refuse_unusable(history: History, entry: Entry) -> None:
    """Raise Refused for an entry that cannot be taken back."""
    if entry.aborted:
        why = "was aborted, so there is nothing to undo"
    elif entry.content["before"] is None:
        why = "made the store, and there is none to go back to"
    elif "keys" in entry.content:
        why = f"changed {counted(entry.content['keys'], 'key')}, which is too many to note; take the store before it from a backup"
    elif entry.changes is None:
        why = "replaced a store with errors; take that from a backup, if it is wanted"
    elif not entry.changes:
        why = "changed comments and layout only, which are not noted; take the text before it from a backup"
    else:
        return
    raise Refused(f"{_named(entry)} {why}", file=history.path, code="cannot-undo")


def renamed(entry: Entry) -> dict[str, str]:
    """Return the accounts that the undo renames, each with the address that it gets back."""
    found = {}
    for change in entry.changes or ():
        if isinstance(change, Renaming) and (address := words.address(change.new_path)) is not None:
            found[address] = words.address(change.path) or address
    return found


def plan(store: Store, entry: Entry, history: Callable[[], History]) -> Plan:
    """Plan the way back. Raises Refused, with the later entry, if something of it has been changed since."""
    made = Plan()
    made.undoes = entry.id
    # Names last: the other changes are noted under the new ones.
    for change in map(inverse, sorted(entry.changes or (), key=lambda change: isinstance(change, Renaming))):
        if not _applies(store.tree, change):
            raise _changed_since(history(), entry, change)
        made.operations += _operations(store.tree, change)
        addresses = addresses_of(change)
        if addresses and made.affected is not None:
            made.affected |= addresses
        else:
            made.affected = None
        where = change.new_path if isinstance(change, Renaming) else change.path
        who, key = words.subject(where)
        made.results.append(Result(who, key, words.state(change), True))
        made.changes.append(_reported(store.tree, change, words.address(where)))
    refuse_invalid(store, made)  # a line of the journal may name keys that no store has, which the text cannot be given
    made.notes += _without_passwords(store, made, entry)
    return made


def _without_passwords(store: Store, made: Plan, entry: Entry) -> list[Advice]:
    """Return the note about the logins and sources that an undo brings back, without their passwords."""
    back = [change.path for change in entry.changes or () if _brings_a_login_back(change)]
    if not back:
        return []
    before, after = store.policy(), planned_policy(store, made)
    there = {secret.owner for secret in bindings.named_secrets(before, made.affected)}
    moved = {secret.owner for secret in bindings.redirected(before, after, made.affected)}
    renamings = renamed(entry).values()
    about = [
        owner
        for (owner, _), path in bindings.named_secrets(after, made.affected).items()
        if (owner not in there and owner.address not in renamings) or (path in back and owner not in moved)
    ]
    if not about:
        return []
    more = f", and those of {len(about) - 1} more" if len(about) > 1 else ""
    return [Advice(f"passwords are not brought back; to set {about[0]}{more}", about[0].command(keep=True))]


def _brings_a_login_back(change: TreeChange) -> bool:
    """Return whether the undo of a change writes a login, a source, or a table that may have some."""
    if not isinstance(change, KeyChange):
        return False
    match change.path:
        case ("accounts", _, "sources", _, "auth"):
            return True  # without this key a source has a password
        case _ if change.old is None:
            return False
        case ("accounts", _) | ("accounts", _, "sources" | "smart_host_login", *_) | ("server", "smart_host", *_):
            return True
        case _:
            return False


def _reported(tree: Tree, change: TreeChange, address: str | None) -> Change:
    """Return a change as every edit reports it."""
    key = ".".join(change.path if address is None else change.path[2:]) or None
    match change:
        case KeyChange(_, old, new):
            return Change(address, key, old, new)
        case ListChange(path, removed, added):
            return Change(address, key, _value(tree, path), _amended(_value(tree, path), removed, added))
        case Renaming(path, name):
            return Change(address, "address" if address is not None else key, path[-1], name)


def _applies(tree: Tree, change: TreeChange) -> bool:
    """Return whether a change can be made: a key has the old value, a list the old entries and none of the new."""
    value = _value(tree, change.path)
    match change:
        case KeyChange(path, old, new):
            tables = (_value(tree, path[:length]) for length in range(1, len(path) + isinstance(new, dict)))
            return _same(value, old) and all(isinstance(table, dict | None) for table in tables)
        case ListChange(_, removed, added):
            return isinstance(value, list) and set(removed) <= set(value) and not set(added) & set(value)
        case Renaming():
            return value is not None and _value(tree, change.new_path) is None


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(_same(value[key], other[key]) for key in value)
    return type(value) is type(other) and bool(value == other)


def _value(tree: Tree, path: Path) -> Any:
    value: Any = tree
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _operations(tree: Tree, change: TreeChange) -> Iterator[Operation]:
    match change:
        case KeyChange(path, _, None):
            yield Drop(path)
        case KeyChange(path, _, dict(new)):
            yield Add(path, _literal(new))
        case KeyChange(path, _, new):
            yield Put(path, _literal(new))
        case ListChange(path, removed, added):
            old = _value(tree, path)
            places = [old.index(text) for text in removed]
            if len(removed) == len(added):
                yield from (PutElement(path, place, text) for place, text in zip(places, added, strict=True))
            else:
                yield Amend(path, tuple(sorted(places)), added, tuple(_amended(old, removed, added)))
        case Renaming(path, name):
            yield Rename(path, name)


def _amended(old: list[str], removed: Sequence[str], added: Sequence[str]) -> list[str]:
    """Return a list without the entries removed and with those added: in their places if they are as many."""
    if len(removed) == len(added):
        instead = dict(zip(removed, added, strict=True))
        return [instead.get(text, text) for text in old]
    return [*(text for text in old if text not in removed), *added]


def _literal(value: Any) -> Any:
    match value:
        case dict():
            return {key: _literal(inner) for key, inner in value.items()}
        case list():
            return tuple(value)
        case _:
            return value


def _changed_since(history: History, entry: Entry, change: TreeChange) -> Refused:
    """Return the refusal, which names the last entry that changed the same key, a table around it, or one in it."""
    # The journal was read anew, and may not have the entry any more: everything in it may have been later.
    ids = [one.id for one in history.entries]
    later = history.entries[ids.index(entry.id) + 1 :] if entry.id in ids else history.entries
    touching = [one for one in later if not one.aborted and any(_touch(other, change) for other in one.changes or ())]
    who, key = words.subject(change.path)
    if entry.undone_by is not None:
        why = f"it was undone by {entry.undone_by}"
    elif touching:
        why = f"{who} {key} was changed since, by {_named(touching[-1])}; undo that first"
    else:
        why = f"{who} {key} was changed since, and the journal does not say by whom"
    return Refused(
        f"{_named(entry)} is not undone: {why}",
        code="changed-since",
        fix=("mailpolicy", "undo", touching[-1].id) if touching and entry.undone_by is None else None,
        content={"id": entry.id, "later": touching[-1].id if touching else None},
    )


def _touch(one: TreeChange, other: TreeChange) -> bool:
    return any(a[: len(b)] == b[: len(a)] for a in _paths(one) for b in _paths(other))


def _paths(change: TreeChange) -> list[Path]:
    return [change.path, change.new_path] if isinstance(change, Renaming) else [change.path]


def _named(entry: Entry) -> str:
    return f"{entry.id} ({entry.command})"
