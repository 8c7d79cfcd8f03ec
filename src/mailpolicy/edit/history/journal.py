"""Write the journal of a store, NAME.log beside it: a line of JSON for each edit, before the store is replaced.

An edit that then fails adds a line that says so. After a crash nobody could: the next edit finds it by the checksum and the stamp
of the store. Entries hold no secrets, as neither the store nor a command line does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from mailpolicy.edit.history import changes
from mailpolicy.edit.history.changes import MAX_KEYS, Tree, TreeChange, as_json
from mailpolicy.edit.operations import Operation
from mailpolicy.errors import MailpolicyError, NotConfirmed, WriteFailed
from mailpolicy.policy.dates import text
from mailpolicy.policy.names import json_printable
from mailpolicy.store.store import Store
from mailpolicy.system import authlog
from mailpolicy.system.digests import digest
from mailpolicy.system.files import describe_error
from mailpolicy.system.held import Held

if TYPE_CHECKING:
    from mailpolicy.policy.dates import Clock
    from mailpolicy.system.line_file import LineFile

SUFFIX = "log"
EDIT, ABORTED, OUTSIDE = "edit", "aborted", "changed outside"

_BEGINS = b'{"event": "'  # every line
_LONGEST_COMMAND = 4096  # characters


class Journal(NamedTuple):
    """The journal of a run: who edits, and with which command."""

    user: str
    sudo_user: str | None
    command: str
    now: Clock

    @contextmanager
    def recorded(
        self,
        held: Held,
        old: Store | None,
        content: bytes,
        tree: Tree,
        operations: Sequence[Operation] = (),
        undoes: str | None = None,
    ) -> Iterator[None]:
        """Write an entry, then run the block, which replaces the store by this content. Raises WriteFailed and Refused.

        `tree` is that of the new content, or of the same part of it if `old` is a subset; which tables were renamed is only
        known from the operations. `undoes` is the entry that the edit takes back. If the block raises, and the store is the old
        one, the entry is followed by one that says so.
        """
        before = digest(old.data) if old is not None else None
        identity = os.urandom(5).hex()
        entry = self._event(EDIT, id=identity, **self._who())
        if undoes is not None:
            entry["undoes"] = undoes
        if old is None or old.is_valid:  # keys of a store with errors cannot be compared
            entry |= _changes(changes.find(old.tree if old is not None else {}, tree, operations))
        entry |= {"before": before, "after": digest(content), "stamp": held.stamp()}
        with ExitStack() as stack:
            with _write_errors(held):
                file = stack.enter_context(held.line_file(SUFFIX, _BEGINS))
                file.append(b"".join(map(_line, [*self._missing(file, before, entry["stamp"]), entry])))
            try:
                yield
            except NotConfirmed:  # the new file is in place
                self._tell(held, identity)
                raise
            except BaseException as error:
                if isinstance(error, MailpolicyError) or held.is_unchanged():
                    with suppress(OSError):  # else the next edit finds it out
                        file.append(_line(self._event(ABORTED, id=identity, after=before)))
                raise
        self._tell(held, identity)

    def _missing(self, file: LineFile, before: str | None, stamp: str | None) -> Iterator[dict[str, Any]]:
        """Yield what the journal does not say yet: that the last edit was cut off, or that the store was changed without it."""
        last = next(filter(None, map(_readable, file.lines_from_the_end())), None)
        if last is None:  # a new journal
            return
        known = last["after"]
        if before == known:
            return
        if last.get("event") == EDIT and was_cut_off(last, before, stamp):
            yield self._event(ABORTED, id=last.get("id"), after=before)
        else:
            yield self._event(OUTSIDE, before=known, after=before)

    def _who(self) -> dict[str, str]:
        facts = {"user": self.user, "sudo_user": self.sudo_user, "command": self.command}
        return {key: value[:_LONGEST_COMMAND] for key, value in facts.items() if value is not None}

    def _event(self, event: str, **facts: Any) -> dict[str, Any]:
        return {"event": event, "time": text(self.now().replace(microsecond=0)), **facts}

    def _tell(self, held: Held, identity: str) -> None:
        who = self.user if self.sudo_user is None else f"{self.user} (sudo: {self.sudo_user})"
        authlog.tell(f"{held.target}: edit {identity} by {who}: {self.command}")


def _readable(line: bytes) -> dict[str, Any] | None:
    """Return a line that says how the store was after it; None for one that was cut off, or that nobody can read."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "after" in found else None


def was_cut_off(last: Mapping[str, Any], digest: str | None, stamp: str | None) -> bool:
    """Return whether the last edit did not replace the store, which has this digest and stamp now.

    After a crash nobody could write that down. A store that was put back by other means has another stamp.
    """
    return stamp is not None and (last.get("before"), last.get("stamp")) == (digest, stamp)


def _changes(found: Sequence[TreeChange]) -> dict[str, Any]:
    keys = sum(change.keys for change in found)
    return {"changes": list(map(as_json, found))} if keys <= MAX_KEYS else {"keys": keys}


@contextmanager
def _write_errors(held: Held) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteFailed(
            f"the journal cannot be written: {describe_error(error)}; nothing was changed. Make room or mend it, "
            "or leave the edit out of it with --no-journal",
            file=f"{held.target}.{SUFFIX}",
            code="journal",
        ) from None


def _line(entry: dict[str, Any]) -> bytes:
    # People read it with cat and tail, too.
    return json_printable(json.dumps(entry, ensure_ascii=False)).encode() + b"\n"
