"""Check that commands keep an index and use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailpolicy.cli import context
from tests.helpers import Run
from tests.store.index.samples import settle, store_of


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The program's own cache, elsewhere."""
    folder = tmp_path / "cached"
    monkeypatch.setattr(context, "_cache_folder", lambda *_, **__: str(folder))
    monkeypatch.delenv("MAILPOLICY_NO_CACHE")
    return folder


def test_accounts_that_an_alternative_lets_in_are_counted_in_the_whole_store(
    run: Run, tmp_path: Path, cached: Path
) -> None:
    (tmp_path / "accounts.toml").write_text(
        store_of(3000).replace("[defaults]\n", "[defaults]\npop_lan_only = true\n", 1)
    )
    settle()
    for _ in range(2):
        denied = run("--file", "accounts.toml", "check", "user0001@d1.example", "pop", "192.168.1.2")
        assert denied.out.endswith("  # lets in 2000 accounts\n")
    assert list(cached.glob("*.index"))


def test_the_program_keeps_an_index(run: Run, tmp_path: Path, cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(store_of(3000))
    settle()
    question = ("--file", "accounts.toml", "check", "user2999@d3.example", "multipop")
    assert run(*question, "--no-cache").status == 1
    monkeypatch.setenv("MAILPOLICY_NO_CACHE", "1")
    assert run(*question).status == 1
    monkeypatch.delenv("MAILPOLICY_NO_CACHE")
    assert not cached.exists()
    first, second = run(*question, "--verbose"), run(*question, "--verbose")
    assert (first.status, first.out, first.err) == (second.status, second.out, second.err)
    assert second.err == ""
    assert len(list(cached.glob("*.index"))) == 1
    for command in (
        ("account", "show", "user0001@d1.example"),
        ("account", "show", "user001@d1.example"),
        ("check", "user0001@d1.example", "pop", "10.0.0.1", "--json"),
        ("check", "user001@d1.example", "pop", "10.0.0.1"),
        ("smart-host", "show", "user0001@d1.example"),
        ("smart-host", "show", "--server"),
        ("lan", "list", "--json"),
        ("server", "show"),
        ("multipop", "source", "list", "user0001@d1.example"),
        ("multipop", "source", "list", "user001@d1.example"),
        ("multipop", "source", "print-password", "user0001@d1.example", "isp"),
        (
            "multipop",
            "source",
            "add",
            "user0001@d1.example",
            "isp",
            "--host",
            "pop.x.example",
            "--login",
            "u",
            "--dry-run",
        ),
        ("who", "pop", "--from", "203.0.113.9"),
        ("pop", "on", "user0000@d0.example", "--dry-run"),
        ("pop", "off", "user0001@d1.example", "user9999@d1.example", "--dry-run"),
        ("imap", "off", "user0001@d1.example", "--dry-run", "--json"),
        ("account", "suspend", "user001@d1.example"),
    ):
        assert run("--file", "accounts.toml", *command) == run("--file", "accounts.toml", *command, "--no-cache"), (
            command
        )
    (place,) = cached.glob("*.index")
    place.write_bytes(b"nonsense")
    quietly, loudly = run(*question), run(*question, "--verbose")
    assert quietly == first
    place.write_bytes(b"nonsense")
    loudly = run(*question, "--verbose")
    assert loudly.out == first.out
    assert "is not used: it is damaged" in loudly.err


def test_an_installed_store_is_not_looked_up_by_the_old_index(run: Run, tmp_path: Path, cached: Path) -> None:
    """Every place of the old index is right in the new store, only the lines are other ones."""
    store, new = tmp_path / "accounts.toml", tmp_path / "new.toml"
    old = store_of(3000)
    store.write_text(old)
    settle()
    question = ("--file", "accounts.toml", "check", "user2997@d1.example", "pop", "10.0.0.1", "--json")
    before = [run(*question) for _ in range(2)]
    assert len(list(cached.glob("*.index"))) == 1
    new.write_text(old.replace("# 2\n", "\n\n\n\n"))
    assert run("--file", "accounts.toml", "install", "new.toml").status == 0
    after = [run(*question) for _ in range(2)]
    plainly = run(*question, "--no-cache")
    assert after == [plainly, plainly]
    lines = [json.loads(answer.out)["reasons"][0]["line"] for answer in (*before, *after)]
    assert lines == [lines[0], lines[0], lines[0] + 3, lines[0] + 3]
