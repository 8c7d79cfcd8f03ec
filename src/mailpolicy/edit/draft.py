"""The text of a store while somebody edits it: in a private folder beside the store, where it outlasts the terminal.

One person at a time edits by hand, under a lock of its own: commands need not wait for an editor. What they change in the
meantime is merged.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mailpolicy.edit.merge import Merge, named
from mailpolicy.errors import FileMissing, Refused
from mailpolicy.store.store import Store
from mailpolicy.system.held import Held, without_lock
from mailpolicy.system.lock import write_errors
from mailpolicy.system.trust import Trusted

LOCK = "edit.lock"
_BASE = ".base"


class Draft:
    """A text under work, and the store that it was made from."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._name = os.path.basename(held.target)
        self._folder = held.private_folder(f"edit-{os.geteuid()}")  # one for each user: they could not read another's
        self.path = os.path.join(self._folder.path, self._name)
        self.base = self.current()
        self.text = self.base.data
        self._held.refuse_links()

    def current(self) -> Store:
        """Return the store as it is now. Raises StoreError."""
        content = self._held.read()
        if content is None:
            raise FileMissing("no such file or directory", file=self._held.path, fix=("mailpolicy", "init"))
        return Store(self._held.path, content)

    def kept(self) -> tuple[Store, bytes] | None:
        """Return what an earlier edit has left: the store it began with, and its text."""
        with write_errors(self.path):
            base, text = self._folder.read(_BASE), self._folder.read(self._name)
        if base is None or text is None or text == base:
            return None
        return Store(self._held.path, base), text

    def save(self) -> None:
        """Write the text and what it was made from, to be edited and to be found again."""
        with write_errors(self.path):
            self._folder.make()
            self._folder.write(_BASE, self.base.data)
            self._folder.write(self._name, self.text)

    @contextmanager
    def folder(self) -> Iterator[int]:
        """Open the folder of the text for an editor. Raises Refused and WriteFailed."""
        with ExitStack() as stack:
            with write_errors(self.path):
                descriptor = stack.enter_context(self._folder.opened())
            yield descriptor

    def load(self) -> None:
        """Read the text again after an editor had it. Raises Refused if the editor has left no file."""
        with write_errors(self.path):
            text = self._folder.read(self._name)
        if text is None:
            raise Refused("the editor has left no file; nothing was written", file=self.path, code="editor-failed")
        self.text = text

    def discard(self) -> None:
        """Remove the text."""
        self._folder.remove()

    def is_changed(self) -> bool:
        """Return whether the text differs from the store that it was made from."""
        return self.text != self.base.data

    def store(self) -> Store:
        """Return the text as a store."""
        return Store(self._held.path, self.text)

    def clashes(self, theirs: Store) -> list[str]:
        """Return the accounts and tables that the text and the store as it is by now have changed, each in another way."""
        return [named(path) for path in Merge(self.base, self.store(), theirs).clashes]

    def catch_up(self, theirs: Store, *, mine_wins: bool = False) -> bool:
        """Merge the text with the store as it is by now; return False, and change nothing, if that is not possible.

        With `mine_wins` the text stays as it is in the clashes.
        """
        result = Merge(self.base, self.store(), theirs).result(mine_wins=mine_wins)
        if result is None:
            return False
        self.base, self.text = theirs, result.data
        self.save()
        return True


@contextmanager
def draft(path: str, trusted: Trusted, who: str) -> Iterator[Draft]:
    """Begin an edit by hand; `who` stands in the lock. Raises StillLocked, StoreError, Refused and WriteFailed."""
    with without_lock(path, trusted) as held, held.reserved(LOCK, who):
        yield Draft(held)
