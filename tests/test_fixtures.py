"""Folders of examples: a bad store and its findings, an edit and its result, a command and its output."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from conftest import EXAMPLE, Expected, Run

HERE = Path(__file__).parent


def _names(folder: str, pattern: str) -> list[str]:
    found = sorted(path.stem for path in (HERE / folder).glob(pattern))
    assert found, f"no examples in {folder}"
    return found


@pytest.mark.parametrize("name", _names("invalid", "*.toml"))
def test_invalid(name: str, run: Run, expected: Expected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "invalid")
    found = run("validate", f"{name}.toml")
    expected(HERE / "invalid" / f"{name}.txt", found.out)
    assert found.status == 1
    # Every other command refuses the same store with the same lines, and gives no verdict.
    checked = run("--file", f"{name}.toml", "check", "alice@example.com", "pop", "10.0.0.1")
    assert checked.status == 3
    errors = [line for line in found.out.splitlines() if ": error[" in line]
    assert checked.err.splitlines()[: len(errors)] == errors
    assert checked.out == ""


@pytest.mark.parametrize("name", _names("advice", "*.toml"))
def test_advice(name: str, run: Run, expected: Expected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "advice")
    options = ["--hints"] if name == "hints" else []
    found = run("validate", f"{name}.toml", *options)
    expected(HERE / "advice" / f"{name}.txt", found.out)
    assert found.status == 0
    strict = run("validate", f"{name}.toml", "--strict", *options)
    assert strict.status == int("warning[" in found.out)


@pytest.mark.parametrize("name", _names("edits", "*"))
def test_edit(name: str, run: Run, expected: Expected, tmp_path: Path) -> None:
    folder = HERE / "edits" / name
    command = shlex.split((folder / "command").read_text(encoding="utf-8"))
    store = tmp_path / "accounts.toml"
    shutil.copy(folder / "before.toml", store)
    before = store.read_bytes()
    dry = run("--file", "accounts.toml", *command, "--dry-run")
    assert store.read_bytes() == before
    assert not (tmp_path / "accounts.toml.lock").exists()
    real = run("--file", "accounts.toml", *command)
    assert dry.status == real.status
    expected(folder / "refused", f"{real.status}\n{real.err}" if real.status else None)
    expected(folder / "after.toml", None if real.status else store.read_bytes().decode())
    if real.status:
        assert store.read_bytes() == before
        return
    # The second time there is nothing to do, unless the command itself no longer applies.
    facts = store.stat()
    again = run("--file", "accounts.toml", *command)
    gone = command[0] != "lan" and not {"remove", "rename"}.isdisjoint(command[:3])
    assert again.status == (4 if gone else 0)
    assert (store.stat().st_ino, store.stat().st_mtime_ns) == (facts.st_ino, facts.st_mtime_ns)
    if again.status == 0:
        assert all(line.endswith("\tok") for line in again.out.splitlines())


@pytest.mark.parametrize("name", _names("edits", "*"))
def test_patch_accepts_the_diff(name: str, run: Run, tmp_path: Path) -> None:
    folder = HERE / "edits" / name
    if (folder / "refused").exists():
        return
    command = shlex.split((folder / "command").read_text(encoding="utf-8"))
    store = tmp_path / "accounts.toml"
    shutil.copy(folder / "before.toml", store)
    diff = run("--file", "accounts.toml", *command, "--dry-run").out
    assert _patched(store.read_bytes().decode(), diff) == (folder / "after.toml").read_bytes().decode()


def _patched(text: str, diff: str) -> str:
    """A small independent patch: walks the hunks and insists on every context line."""
    old = text.split("\n") if text else []
    lines = diff.split("\n")
    assert lines[0].startswith("--- ")
    assert lines[1].startswith("+++ ")
    new: list[str] = []
    position = 0
    ends_bare = False
    index = 2
    while index < len(lines) and lines[index]:
        start = int(lines[index].split()[1].lstrip("-").split(",")[0])
        count = lines[index].split()[1].partition(",")[2] or "1"
        begin = start - 1 if int(count) else start
        new += old[position:begin]
        position = begin
        grown_start, _, grown = lines[index].split()[2].lstrip("+").partition(",")
        assert int(grown_start) == len(new) + (grown != "0"), "the hunk says where it stands in the new file"
        index += 1
        while index < len(lines) and lines[index] and not lines[index].startswith("@@"):
            mark, line = lines[index][0], lines[index][1:]
            if mark in " -":
                assert old[position] == line
                position += 1
            if mark in " +":
                new.append(line)
                ends_bare = False
            if mark == "\\" and lines[index - 1][0] in " +":
                ends_bare = True
            index += 1
    rest = old[position:]
    if rest == [""] and ends_bare:
        rest = []
    if rest:
        return "\n".join([*new, *rest])
    return "\n".join(new) + ("" if ends_bare or not new else "\n")


@pytest.mark.parametrize("name", _names("golden", "*"))
def test_golden(name: str, run: Run, expected: Expected, tmp_path: Path) -> None:
    folder = HERE / "golden" / name
    shutil.copy(EXAMPLE, tmp_path / "accounts.toml")
    for given in folder.iterdir():
        if given.name not in ("command", "status", "stdout", "stderr"):
            shutil.copy(given, tmp_path)
    result = run("--file", "accounts.toml", *shlex.split((folder / "command").read_text(encoding="utf-8")))
    expected(folder / "stdout", result.out)
    expected(folder / "stderr", result.err)
    expected(folder / "status", f"{result.status}\n")
