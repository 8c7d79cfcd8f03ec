"""The file of the cases that guard a store: one that cannot be used refuses every edit, and root obeys none of others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mailpolicy.review.guard import CasesUnusable
from tests.helpers import MINIMAL, NOBODY, Run, needs_root
from tests.review.test_guard import ALICE, BOB_ANYWHERE, OUTSIDE_DENIED, guard_of

BROKEN: dict[str, tuple[str | None, str]] = {
    "missing": (None, "no such file or directory"),
    "no cases": ("", "they have 1 error"),
    "not TOML": ("[[case]\n", "they have 1 error"),
    "not UTF-8": ("\udcff", "they have 1 error"),
    "two mistakes": (
        '[[case]]\naddress = "x"\nprotocol = "pop"\nip = "1.2.3.4"\nexpect = "maybe"\n',
        "they have 2 errors",
    ),
    "an unknown key": (OUTSIDE_DENIED + 'expected = "deny"\n', "they have 1 error"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_cases_refuse(run: Run, store: Path, tmp_path: Path, name: str) -> None:
    text, why = BROKEN[name]
    guard = guard_of(tmp_path, "")
    if text is None:
        os.unlink(guard.path)
    else:
        Path(guard.path).write_bytes(text.encode("utf-8", "surrogateescape"))
    (tmp_path / "host.toml").write_text(f'cases = "{guard.path}"')
    words = ("--file", str(store), "--host-config", "host.toml", "pop", "on", ALICE)
    result = run(*words)  # which changes nothing
    told = result.err.splitlines()
    assert result.status == 5
    said = (
        f"the cases that guard the store cannot be used, so every edit is refused: {why}; mend them, or add --no-cases"
    )
    assert told[-1] == f"mailpolicy: {guard.path}: {said}"
    assert all(line.startswith(f"{guard.path}:") and "error[" in line for line in told[:-1])
    assert run(*words, "--no-cases").status == 0


def _chmod(mode: int) -> Callable[[Path], None]:
    return lambda path: path.chmod(mode)


def _swap_for_a_link(path: Path) -> None:
    real = path.with_name("real.toml")
    path.rename(real)
    path.symlink_to(real)
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@pytest.mark.parametrize(
    ("spoil", "cure"),
    [
        (_chmod(0o646), "chmod go-w {0}/cases.toml"),
        (_chmod(0o664), "chmod g-w {0}/cases.toml"),
        (lambda path: os.chown(path, NOBODY, -1), "chown root {0}/cases.toml"),
        (lambda path: path.parent.chmod(0o777), "chmod go-w {0}"),
        (_swap_for_a_link, "chown -h root {0}/cases.toml"),
    ],
)
def test_root_obeys_no_cases_that_others_can_write(tmp_path: Path, spoil: Callable[[Path], None], cure: str) -> None:
    needs_root()
    folder = tmp_path / "guard"
    folder.mkdir()
    guard = guard_of(folder)
    assert guard.read().cases
    spoil(Path(guard.path))
    with pytest.raises(CasesUnusable) as refusal:
        guard.read()
    assert " ".join(refusal.value.fix or ()) == cure.format(folder)


def test_the_file_is_named_by_an_absolute_path(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "host.toml").write_text('\ncases = "cases.toml"\n')
    result = run("--file", str(store), "--host-config", "host.toml", "pop", "off", ALICE)
    assert (result.status, result.err) == (3, "mailpolicy: host.toml:2: cases must be an absolute path\n")


def test_deploy_and_doctor_name_what_a_hand_edit_broke(run: Run, store: Path, tmp_path: Path) -> None:
    guard = guard_of(tmp_path, OUTSIDE_DENIED + BOB_ANYWHERE)
    export = f'[exports.d]\ntarget = "dovecot"\npath = "{tmp_path}/d"\n'
    (tmp_path / "host.toml").write_text(f'cases = "{guard.path}"\n{export}')
    words = ("--file", str(store), "--host-config", "host.toml")

    def answer() -> tuple[list[int], str | None]:
        found = json.loads(run(*words, "deploy", "--json").out)
        return [case["line"] for case in found["cases"]], found["cases_error"]

    assert f"cases\tok\t{guard.path}: 2 cases, all hold" in run(*words, "doctor").out
    assert guard.path not in run(*words, "deploy").err
    assert answer() == ([], None)
    store.write_text(MINIMAL.replace("pop_lan_only = true", "pop_lan_only = false"))
    named = f"{guard.path}:1: {ALICE} pop 203.0.113.0/24: expected deny, got allow"
    for command, status in (("deploy --check", 1), ("deploy", 0), ("deploy --check", 0)):
        result = run(*words, *command.split())
        assert (result.status, result.err.count(f"warning: {named}\n")) == (status, 1)
    assert answer() == ([1], None)
    result = run(*words, "doctor")
    assert (result.status, result.out.count(f"cases\terror\t{named}\tmailpolicy test {guard.path}")) == (1, 1)
    os.unlink(guard.path)
    result = run(*words, "deploy")
    assert result.status == 0
    unusable = (
        f"{guard.path}: the cases that guard the store cannot be used, so whether they hold is not known: no such file or "
        "directory; mend them"
    )
    assert f"warning: {unusable}\n" in result.err
    assert f"cases\terror\t{unusable}\t" in run(*words, "doctor").out
    assert answer() == ([], unusable)
