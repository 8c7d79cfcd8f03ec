"""What an edit says of what it did not do: what stays closed, what is inherited, what a layer sets and what not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import Run

STORE = """\
version = 1

[server]
edition = "pro"
outlook_connector_installed = true
multipop = true
lan = ["10.0.0.0/8"]

[defaults]
imap = true

[templates.t]
multipop = true
pop_lan_only = true

[accounts."a@x.example"]

[accounts."b@x.example"]
pop_lan_only = true
suspended = true

[accounts."c@x.example"]
template = "t"
"""
STANDARD = ("pro", "standard")
LONELY = ("multipop = true\nlan", "lan")
PRO = "warning: IMAP stays unavailable: it needs the pro edition, and the edition is standard: mailpolicy server set edition pro"

# what is changed in the store, the command, the result in its last line, and what is said besides
SAID: list[tuple[tuple[str, str] | None, str, str, list[str]]] = [
    (
        None,
        "account add n@x.example --pop lan-only",
        "added",
        ["note: n@x.example inherits IMAP on, from anywhere (defaults)"],
    ),
    (
        None,
        "account add n@x.example m@x.example --imap off --template t",
        "added",
        ["note: n@x.example, m@x.example inherit MultiPOP on (template t)"],
    ),
    (("imap = true", "imap = false"), "account add n@x.example --pop on", "added", []),
    (None, "account add n@x.example --pop on --imap lan-only", "added", []),
    (STANDARD, "account add n@x.example --pop on", "added", []),
    (STANDARD, "account add n@x.example --imap on", "added", [PRO]),
    (
        None,
        "pop lan-only a@x.example",
        "off (LAN only when switched on)",
        ["POP is still off for a@x.example: mailpolicy pop on a@x.example"],
    ),
    (
        None,
        "pop anywhere a@x.example",
        "off",
        ["POP is still off for a@x.example: mailpolicy pop on a@x.example"],
    ),
    (None, "pop on a@x.example", "on, from anywhere", []),
    (
        None,
        "pop on b@x.example",
        "on, from the LAN only",
        ["POP stays unavailable while suspended: b@x.example: mailpolicy account resume b@x.example"],
    ),
    (None, "pop off b@x.example", "off (LAN only when switched on)", []),
    (STANDARD, "imap on a@x.example c@x.example", "on, from anywhere", [PRO]),
    (STANDARD, "imap on --in-defaults", "on", [PRO]),
    (STANDARD, "imap lan-only c@x.example", "on, from the LAN only", [PRO]),
    (
        LONELY,
        "multipop on a@x.example",
        "on",
        [
            "warning: MultiPOP stays unavailable: it is off for the whole server: mailpolicy server set multipop on",
        ],
    ),
    (
        LONELY,
        "multipop on --in-template t",
        "on",
        [
            "warning: MultiPOP stays unavailable: it is off for the whole server: mailpolicy server set multipop on",
        ],
    ),
    (None, "imap lan-only --in-template t", "from the LAN only", []),
    (None, "pop on --in-template t", "on, from the LAN only", []),
    (None, "pop off --in-template t", "off (LAN only when switched on)", []),
    (None, "multipop inherit --in-template t", "not set", []),
    (None, "imap anywhere --in-defaults", "on, from anywhere", []),
    (None, "pop anywhere --in-defaults", "from anywhere", []),
    (None, "imap inherit --in-defaults", "not set", []),
]


@pytest.mark.parametrize(("change", "command", "result", "said"), SAID, ids=[f"{row[0]} {row[1]}" for row in SAID])
def test_what_is_said(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: tuple[str, str] | None,
    command: str,
    result: str,
    said: list[str],
) -> None:
    text = STORE
    if change is not None:
        assert change[0] in text
        text = text.replace(*change)
    (tmp_path / "accounts.toml").write_text(text)
    monkeypatch.setenv("MAILPOLICY_FILE", "accounts.toml")
    done = run(*command.split())
    assert done.status == 0
    assert done.out.splitlines()[-1].split("\t")[2] == result
    # What else is said, of the reach of a layer and of what is pinned, has tests of its own.
    other = ("applies to ", "this also stops ")
    assert [line for line in done.err.splitlines() if not line.startswith(other) and "own setting" not in line] == said


def test_many_accounts_are_counted_and_get_no_command(run: Run, tmp_path: Path) -> None:
    accounts = "".join(f'[accounts."n{number}@x.example"]\n' for number in range(30))
    (tmp_path / "many.toml").write_text(f"version = 1\n{accounts}")
    assert run("--file", "many.toml", "pop", "lan-only", "--all").err == "POP is still off for 30 accounts\n"
