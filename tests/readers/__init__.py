"""Every reader of mailpolicy as a function of bytes, for the tests that give it any: fuzzing, and work that is counted.

A reader prints what its command would print. `survives` is what holds for every input: the reader ends with a clean result
or one of the errors of mailpolicy.errors, prints the same when it reads the same again, and no raw control character.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple
from zlib import crc32

from mailpolicy.cli.context import Context
from mailpolicy.cli.output import Output
from mailpolicy.errors import MailpolicyError
from mailpolicy.policy.names import printable
from tests.helpers import now
from tests.readers import lines, notes, rows, seeds, stores

Read = Callable[[Output, bytes], None]


class Reader(NamedTuple):
    """A reader, and what its inputs begin as."""

    what: str  # it reads, in plain words
    read: Read
    seeds: Callable[[], Iterable[bytes]]
    longest: int = 4096  # bytes of an input that is worth trying


READERS: dict[str, Reader] = {
    "store": Reader("stores", stores.store, seeds.stores),
    "host": Reader("files host.toml", stores.host_config, seeds.host_configs),
    "cases": Reader("files of cases", stores.cases, seeds.cases),
    "index": Reader("indexes of stores", stores.index, stores.index_seeds, 32768),
    "plan": Reader("plans", rows.plan, seeds.plans),
    "import": Reader("files of MDaemon and lists of networks", rows.imported, seeds.imports),
    "logins": Reader("lists of logins and passwords", rows.logins, seeds.logins),
    "log": Reader("login logs", lines.log, seeds.logs),
    "batch": Reader("batches of questions", lines.batch, seeds.batches),
    "sealed": Reader("sealed files and their keys", notes.sealed, notes.sealed_seeds),
    "journal": Reader("journals", notes.journal, notes.journal_seeds),
    "notes": Reader("markers, and heads of deployed files", notes.beside, seeds.notes),
}


def printed(read: Read, data: bytes) -> str:
    """Return what a command prints that reads these bytes; an error that is not of mailpolicy.errors passes."""
    written = io.StringIO()
    with redirect_stdout(written), redirect_stderr(written):
        out = Output(Context(file=stores.PATH), now)
        try:
            read(out, data)
        except MailpolicyError as error:
            out.failure(error)
            Output(out.context._replace(format="json"), now).failure(error)
    return written.getvalue()


def survives(reader: Reader, data: bytes) -> None:
    """Let the reader read these bytes, and check what holds for every input."""
    text = printed(reader.read, data)
    for line in text.split("\n"):
        assert printable(line.replace("\t", "")) == line.replace("\t", ""), f"a raw control character: {line!a}"
    if crc32(data) % 8 == 0:  # not of every one, which would take twice the time
        assert printed(reader.read, data) == text, "read again, it is read otherwise"
