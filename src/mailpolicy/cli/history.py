"""Read the journal beside the store, for the commands that show it and go back in it."""

from __future__ import annotations

from mailpolicy.cli.output import Output
from mailpolicy.edit.history import entries
from mailpolicy.edit.history.entries import History
from mailpolicy.errors import FileMissing
from mailpolicy.system.digests import digest
from mailpolicy.system.held import without_lock


def read(out: Output) -> History:
    """Return the journal of the store, with a message for lines that cannot be read. Raises StoreError and Refused."""
    history = load(out)
    for number in history.unreadable:
        out.message(f"warning: {history.path}:{number}: this line cannot be read, and is left out")
    return history


def load(out: Output) -> History:
    """Return the journal of the store. Raises StoreError and Refused."""
    with without_lock(out.context.file, check_trust=False) as held:
        content = held.read()
        try:
            return entries.read(held, digest(content) if content is not None else None)
        except FileMissing as error:
            if not out.machine().settings.journal:
                raise
            return History(error.file or "", [], [])  # before the first edit, or since the file was rotated
