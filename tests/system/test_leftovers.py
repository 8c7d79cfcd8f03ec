"""Check that a writer that is killed or stopped leaves nothing that stays."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.helpers import Run


def test_a_signal_at_the_opening_of_a_temporary_file(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def interrupted(path: str, *arguments: int, **options: int) -> int:
        descriptor = real(path, *arguments, **options)
        if ".new-" in str(path):
            os.close(descriptor)
            raise KeyboardInterrupt
        return descriptor

    with monkeypatch.context() as failing:
        failing.setattr(os, "open", interrupted)
        assert run("--file", str(store), "pop", "on", "bob@example.com").status == 130
    assert sorted(path.name for path in store.parent.iterdir()) == ["accounts.toml", "accounts.toml.lock"]


@pytest.mark.parametrize(
    "suffix", ["", ".pending", ".kick", ".reload", ".deployed", ".secrets", ".edited", ".edited.2"]
)
def test_what_a_killed_writer_left_is_cleared(suffix: str, run: Run, store: Path) -> None:
    left = store.parent / f".accounts.toml{suffix}.new-0123456789abcdef"
    theirs = store.parent / f".other.toml{suffix}.new-0123456789abcdef"
    for path in (left, theirs):
        path.write_text("half a file")
    assert run("--file", str(store), "pop", "on", "bob@example.com").status == 0
    assert not left.exists()
    assert theirs.exists()


def test_a_writer_killed_between_the_two_names_of_a_new_file(run: Run, store: Path) -> None:
    """The name that was to go does not count, in a dry run either, and the next edit removes it."""
    left = store.parent / ".accounts.toml.new-0123456789abcdef"
    os.link(store, left)
    note, left_note = Path(f"{store}.pending"), store.parent / ".accounts.toml.pending.new-0123456789abcdef"
    note.write_text("smart-host/alice@example.com\n")
    os.link(note, left_note)
    for options in (["--dry-run"], []):
        edited = run("--file", str(store), "pop", "on", "bob@example.com", *options)
        assert edited.status == 0, edited.err
        assert "smart-host/alice@example.com may be out of date" in edited.err
    assert not left.exists()
    assert not left_note.exists()


@pytest.mark.parametrize(("signalled", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_a_class_is_made(
    signalled: signal.Signals, status: int, run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11 wraps it in a RuntimeError then, which is no crash of ours."""

    class Named:
        def __set_name__(self, owner: type, name: str) -> None:
            os.kill(os.getpid(), signalled)

    def rename(*_: object, **__: object) -> None:
        type("Made", (), {"named": Named()})

    before = store.read_bytes()
    with monkeypatch.context() as failing:
        failing.setattr(os, "rename", rename)
        assert run("--file", str(store), "pop", "on", "bob@example.com").status == status
    assert store.read_bytes() == before
