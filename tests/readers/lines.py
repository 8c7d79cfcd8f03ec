"""Readers of lines: login logs, and questions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mailpolicy.cli import batch as batch_command
from mailpolicy.cli import line_reader
from mailpolicy.cli.commands import replay as replay_command
from mailpolicy.cli.output import Output
from mailpolicy.review.replay import Replay
from mailpolicy.store.store import Store
from tests.readers import stores


@contextmanager
def _file_of(data: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("lines")
    try:
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def log(out: Output, data: bytes) -> None:
    """Replay a log."""
    replay = Replay(stores.policy_now(), "example.com")
    with _file_of(data) as descriptor:
        replay_command._read(out, "-", descriptor, replay, strict=False)
    replay_command._report(out, "-", stores.PATH, replay)
    replay_command._report(Output(out.context._replace(format="json")), "-", stores.PATH, replay)


def batch(out: Output, data: bytes) -> None:
    """Answer questions, as lines and as objects."""
    with _file_of(data) as descriptor:
        batch_command._lines(out, stores.policy_now(), line_reader.chunks("-", descriptor))
        os.lseek(descriptor, 0, os.SEEK_SET)
        store = Store(stores.PATH, stores.POLICY_TEXT.encode())
        batch_command._objects(out, store, stores.policy_now(), line_reader.chunks("-", descriptor))
