"""Govern services and give that up: what is refused, what is said, and a way out that works."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.helpers import Run

HEAD = 'version = 1\n[server]\nedition = "pro"\n'
LAN = 'lan = ["10.0.0.0/8"]\n'
ALICE = '[accounts."alice@x.example"]\n'
TEMPLATE = "[templates.t]\nsmtp = false\n"

# The store, and the command that is told.
REFUSED = {
    "nobody is granted it": (HEAD + ALICE, "smtp on --in-defaults"),
    "no account yet": (HEAD, "smtp on --in-defaults"),
    "only from an empty LAN": (
        f"{HEAD}[defaults]\nsmtp = true\nsmtp_lan_only = true\n{ALICE}",
        "smtp on --anywhere --in-defaults",
    ),
    "by the template": (f"{HEAD}{TEMPLATE}{ALICE}template = 't'\n", "smtp on --in-template t"),
    "by the account": (f"{HEAD}{ALICE}smtp = false\n", None),
    "suspended": (f"{HEAD}[defaults]\nsmtp = true\n{ALICE}suspended = true\n", None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_service_that_nobody_could_use_is_not_governed(case: str, run: Run, tmp_path: Path) -> None:
    text, fix = REFUSED[case]
    store = tmp_path / "accounts.toml"
    store.write_text(text)
    refused = run("--file", "accounts.toml", "server", "govern", "smtp")
    assert refused.status == 5
    assert "no account could use smtp then" in refused.err
    assert store.read_text() == text
    if fix is None:
        assert "try:" not in refused.err
        return
    assert f"  try: mailpolicy {fix} --file accounts.toml\n" in refused.err
    assert run("--file", "accounts.toml", *shlex.split(fix)).status == 0
    assert run("--file", "accounts.toml", "server", "govern", "smtp").status == 0


def test_a_key_without_effect_can_be_removed(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(f"{HEAD}{ALICE}smtp = false\n")
    assert run("--file", "accounts.toml", "smtp", "on", "alice@x.example").status == 5
    assert run("--file", "accounts.toml", "smtp", "inherit", "alice@x.example").status == 0
    assert store.read_text() == HEAD + ALICE


def test_the_numbers_of_those_it_concerns(run: Run, tmp_path: Path) -> None:
    accounts = "".join(
        f'[accounts."{name}@x.example"]\n{keys}\n'
        for name, keys in (("a", ""), ("b", "smtp = false"), ("c", "smtp_lan_only = true"), ("d", "suspended = true"))
    )
    (tmp_path / "accounts.toml").write_text(f"{HEAD}{LAN}[defaults]\nsmtp = true\n{accounts}")
    governed = run("--file", "accounts.toml", "server", "govern", "smtp", "--json")
    assert governed.err == "this closes smtp to 2 of 4 accounts, and restricts it to the LAN for 1\n"
    assert '"access": "narrowed"' in governed.out
    ungoverned = run("--file", "accounts.toml", "server", "ungovern", "smtp", "--json")
    assert ungoverned.err == "this lets 3 more accounts use smtp from anywhere\n"
    assert '"access": "widened"' in ungoverned.out


GRANT = '[defaults]\nsmtp = true\nsieve = true\n[accounts."alice@x.example"]\n'
# Stores in which smtp is not governed, each with every byte as it must be again after governing it and giving that up.
THERE_AND_BACK = {
    "no key": f"{HEAD}{LAN}{GRANT}",
    "empty": f"{HEAD}govern = []\n{LAN}{GRANT}",
    "empty, with a comment": f"{HEAD}govern = []   # nothing yet\n{LAN}{GRANT}",
    "in one line": f"{HEAD}govern = [ 'sieve' ]   # filters\n{LAN}{GRANT}",
    "a comment above": f"{HEAD}\n# ticket 17\ngovern = ['sieve']\n{LAN}{GRANT}",
    "one a line": f'{HEAD}govern = [\n    "sieve",  # filters\n    # "smtp",   not yet, ticket 12\n]\n{LAN}{GRANT}',
    "empty, with a comment in it": f"{HEAD}govern = [\n    # nothing\n]\n{LAN}{GRANT}",
    "no comma at the end": f'{HEAD}govern = [\n    "sieve"\n]\n{LAN}{GRANT}',
    "an inline table": f'version = 1\nserver = {{govern = [], edition = "pro"}}\n{GRANT}',
    "dotted keys": f'version = 1\nserver.edition = "pro"\nserver.govern = ["sieve"]\n{GRANT}',
}


@pytest.mark.parametrize("case", THERE_AND_BACK)
def test_there_and_back(case: str, run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(THERE_AND_BACK[case])
    assert run("--file", "accounts.toml", "server", "govern", "smtp").status == 0
    assert store.read_text() != THERE_AND_BACK[case]
    assert run("--file", "accounts.toml", "server", "ungovern", "smtp").status == 0
    assert store.read_text() == THERE_AND_BACK[case]


# Stores in which smtp is governed: the other way round.
BACK_AND_THERE = {
    "in one line": f'{HEAD}govern = ["smtp"]   # who may send\n{LAN}{GRANT}',
    "at the end": f'{HEAD}{LAN}govern = ["smtp"]\n{GRANT}',
    "a comment above": f"{HEAD}\n# ticket 17\ngovern = ['smtp']\n{LAN}{GRANT}".replace("'", '"'),
}


@pytest.mark.parametrize("case", BACK_AND_THERE)
def test_back_and_there(case: str, run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(BACK_AND_THERE[case])
    assert run("--file", "accounts.toml", "server", "ungovern", "smtp").status == 0
    assert 'govern = ["smtp"]' not in store.read_text()
    assert run("--file", "accounts.toml", "server", "govern", "smtp").status == 0
    assert store.read_text() == BACK_AND_THERE[case]
