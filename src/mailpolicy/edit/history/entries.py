"""Read the journal of a store: its entries, and which of them were aborted or undone since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from mailpolicy.edit.history import words
from mailpolicy.edit.history.changes import Renaming, TreeChange, from_json
from mailpolicy.edit.history.journal import ABORTED, EDIT, OUTSIDE, SUFFIX, was_cut_off
from mailpolicy.errors import FileMissing
from mailpolicy.system.held import Held


class Entry(NamedTuple):
    """An edit, or with an empty `id` a change of the store by other means. `content` is the line of the journal.

    The changes are None if only their number, `keys`, was kept, or if the store had errors before. `undone_by` is the undo
    that took it back.
    """

    id: str
    time: datetime
    command: str
    changes: tuple[TreeChange, ...] | None
    content: Mapping[str, Any]
    aborted: bool = False
    undone_by: str | None = None

    @property
    def undoes(self) -> str | None:
        """Return the entry that this one took back."""
        return self.content.get("undoes")

    @property
    def user(self) -> str:
        """Return who made the edit, in one word."""
        return str(self.content.get("sudo_user") or self.content.get("user", ""))

    @property
    def is_outside(self) -> bool:
        """Return whether the store was changed by other means."""
        return not self.id

    def concerns(self, addresses: set[str]) -> bool:
        """Return whether the edit changed the own table of one of these accounts."""
        return any(not addresses.isdisjoint(addresses_of(change)) for change in self.changes or ())


class History(NamedTuple):
    """The entries of a journal, the oldest first, and the lines of it that cannot be read."""

    path: str
    entries: list[Entry]
    unreadable: list[int]

    def about(self, address: str) -> list[Entry]:
        """Return the entries about an account, those under its former addresses too."""
        names, found = {address}, []
        for entry in reversed(self.entries):
            if not entry.concerns(names):
                continue
            found.append(entry)
            for change in entry.changes if entry.changes and not entry.aborted else ():
                if isinstance(change, Renaming) and words.address(change.new_path) in names:
                    names |= addresses_of(change)
        return found[::-1]


def addresses_of(change: TreeChange) -> set[str]:
    """Return the account whose own table is changed, with both addresses if it was renamed; none for anything else."""
    paths = [change.path, *([change.new_path] if isinstance(change, Renaming) else [])]
    return {address for path in paths if (address := words.address(path)) is not None}


def read(held: Held, digest: str | None) -> History:
    """Return the journal of a store whose content has this digest now. Raises StoreError and Refused."""
    path = f"{held.target}.{SUFFIX}"
    content = held.read_beside(SUFFIX)
    if content is None:
        raise FileMissing("there is no journal; edits are written down with journal = true in host.toml", file=path)
    found, aborted, unreadable = [], set(), []
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            entry = _entry(json.loads(line)) if line else None
        except (ValueError, LookupError, TypeError, RecursionError):
            unreadable.append(number)
            continue
        if isinstance(entry, Entry):
            found.append(entry)
        elif entry is not None:
            aborted.add(entry)
    if found and digest != found[-1].content["after"] and was_cut_off(found[-1].content, digest, held.stamp()):
        aborted.add(found[-1].id)
    return History(path, list(_judged(found, aborted))[::-1], unreadable)


def _entry(line: Any) -> Entry | str | None:
    """Return an entry, or the id of one that was aborted, or None for a line of a later version."""
    match line["event"]:
        case event if event in (EDIT, OUTSIDE):
            changes = tuple(map(from_json, line["changes"])) if "changes" in line else None
            identity = str(line["id"]) if event == EDIT else ""
            time = datetime.fromisoformat(line["time"])
            if time.tzinfo is None or type(line.get("undoes", "")) is not str or type(line.get("keys", 0)) is not int:
                raise ValueError("a time without an offset, or a value of another type")
            return Entry(
                identity,
                time,
                str(line.get("command", "")),
                changes,
                {**line, "before": line.get("before"), "after": line.get("after")},
            )
        case event if event == ABORTED:
            return str(line["id"])
        case _:
            return None


def _judged(entries: list[Entry], aborted: set[str]) -> Iterator[Entry]:
    """Yield the entries with what became of them, the newest first: an undo that was undone does not count."""
    undone: dict[str, str] = {}
    for entry in reversed(entries):
        if entry.is_outside:
            yield entry
            continue
        judged = entry._replace(aborted=entry.id in aborted, undone_by=undone.get(entry.id))
        if entry.undoes is not None and not judged.aborted and judged.undone_by is None:
            undone[entry.undoes] = entry.id
        yield judged
