"""The lines of a journal from its end: each once, however long, and each byte of the file is read once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailpolicy.system.line_file import LineFile


@pytest.mark.parametrize(
    "lines",
    [[], [b""], [b"a"], [b"", b""], [b"a", b"", b"b"], [b"x" * 65535, b"y"], [b"x" * 65536, b"y" * 200_000, b"", b"z"]],
    ids=lambda lines: "-".join(str(len(line)) for line in lines) or "none",
)
def test_lines_from_the_end(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    descriptor = os.open(path, os.O_RDWR)
    assert list(LineFile(descriptor).lines_from_the_end()) == lines[::-1]
    os.close(descriptor)


def test_a_file_of_blank_lines_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\n" * 300_000)
    descriptor = os.open(path, os.O_RDWR)
    file = LineFile(descriptor)
    read = 0

    def pread(*arguments: int, original=os.pread) -> bytes:  # type: ignore[no-untyped-def]
        nonlocal read
        found: bytes = original(*arguments)
        read += len(found)
        return found

    monkeypatch.setattr(os, "pread", pread)
    assert sum(1 for _ in file.lines_from_the_end()) == 300_000
    assert read < 300_000
    os.close(descriptor)
