"""Every fix that can be provoked is run, and the verdict changes as it promises."""

from __future__ import annotations

import json
import shlex
from itertools import product
from pathlib import Path

from conftest import Run

OUTSIDE = "203.0.113.9"


def stores() -> list[str]:
    """Stores that close each gate in each combination, through the account, its template and the defaults."""
    texts = []
    for edition, installed, multipop, suspended, layer, imap in product(
        ("pro", "standard"), (True, False), (True, False), (True, False), ("account", "template", "none"), (True, False)
    ):
        switches = (
            "pop = false\npop_lan_only = true\nimap_lan_only = true\nmultipop = false\noutlook_connector = false\n"
        )
        switches += f"imap = {str(imap).lower()}\n"
        texts.append(
            f'version = 1\n[server]\nedition = "{edition}"\noutlook_connector_installed = {str(installed).lower()}\n'
            f'multipop = {str(multipop).lower()}\nlan = ["10.0.0.0/8"]\n'
            + (f"[templates.t]\n{switches}" if layer == "template" else "[templates.t]\n")
            + '[accounts."o\'neil@x.example"]\ntemplate = "t"\n'
            + ("suspended = true\n" if suspended else "")
            + (switches if layer == "account" else "")
        )
    return texts


def test_every_fix_changes_the_verdict(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    seen: set[str] = set()

    def ask(protocol: str) -> dict:  # type: ignore[type-arg]
        result = run("--file", str(store), "check", "o'neil@x.example", protocol, OUTSIDE, "--json")
        assert result.status in (0, 1)
        return json.loads(result.out)  # type: ignore[no-any-return]

    for text, protocol in product(stores(), ("pop", "imap", "multipop", "outlook-connector")):
        store.write_text(text)
        verdict = ask(protocol)
        for command in verdict["fixes"]:
            program, *arguments = shlex.split(command)
            assert program == "mailpolicy"
            before = {reason["code"] for reason in ask(protocol)["reasons"]}
            done = run("--file", str(store), *arguments)
            assert done.status == 0, (command, done.err, text)
            after = {reason["code"] for reason in ask(protocol)["reasons"]}
            # The gate that this command is the fix of is open now, and no other has closed.
            own = {reason["code"] for reason in verdict["reasons"] if reason["fix"] == command}
            assert own <= before
            assert after == before - own
            seen |= own
        helpless = [reason["code"] for reason in verdict["reasons"] if reason["fix"] is None]
        assert ask(protocol)["allowed"] is (not helpless), text
    assert seen == {"account-suspended", "service-off", "connector-needs-imap", "outside-lan"}


def test_the_lan_way_fits_a_client_with_a_zone(run: Run, store: Path) -> None:
    for ip, entry in (("fe80::1%eth0", "fe80::1"), ("::ffff:203.0.113.9", "203.0.113.9")):
        denied = run("--file", str(store), "check", "alice@example.com", "pop", ip)
        assert f"  fix: mailpolicy lan add {entry} --file" in denied.out
        assert run("--file", str(store), "lan", "add", entry).status == 0
        assert run("--file", str(store), "check", "alice@example.com", "pop", ip).out == "allow\n"


def test_the_lan_way_of_the_text_works_too(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text('version = 1\n[accounts."a@x.example"]\npop = true\npop_lan_only = true\n')
    denied = run("--file", str(store), "check", "a@x.example", "pop", OUTSIDE)
    fixes = [line.partition(": ")[2] for line in denied.out.splitlines() if line.startswith(("  fix: ", "  or: "))]
    assert [fix.split()[1:3] for fix in fixes] == [["lan", "add"], ["pop", "anywhere"]]
    original = store.read_text()
    for fix in fixes:
        store.write_text(original)
        assert run(*shlex.split(fix)[1:]).status == 0
        assert run("--file", str(store), "check", "a@x.example", "pop", OUTSIDE).out == "allow\n"
