"""Edits of one's own accounts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date

from tests.real.proof.updates.own import Own, Step, Tree, domains

_NOT_COPIED = ("suspended", "expires", "temporary", "sources", "smart_host_login")


def some(drawn: random.Random, own: Own, at_most: int = 3) -> list[str]:
    """Return one or more of the accounts; none if there are none."""
    count = drawn.randrange(1, min(at_most, len(own.accounts)) + 1) if own.accounts else 0
    return drawn.sample(list(own.accounts), count)


def add(drawn: random.Random, own: Own) -> Step | None:
    address = f"u{drawn.randrange(6)}@{own.domain}"
    if address in own.accounts:
        return None
    table = {"pop": True, "pop_lan_only": True}
    return Step(["account", "add", address, "--pop", "lan-only"], lambda after: after.accounts.update({address: table}))


def copy(drawn: random.Random, own: Own) -> Step | None:
    new = f"c{drawn.randrange(3)}@{own.domain}"
    if not own.accounts or new in own.accounts:
        return None
    source = drawn.choice(list(own.accounts))
    kept = {key: value for key, value in own.accounts[source].items() if key not in _NOT_COPIED}
    return Step(["account", "copy", source, new], lambda after: after.accounts.update({new: kept}))


def remove(drawn: random.Random, own: Own) -> Step | None:
    if len(own.accounts) < 3:
        return None
    gone = drawn.sample(list(own.accounts), 2)

    def change(after: Own) -> None:
        for address in gone:
            del after.accounts[address]
            after.passwords.pop(address, None)

    return Step(["account", "remove", *gone, "--yes"], change)


def _move(after: Own, old: str, new: str) -> None:
    after.accounts[new] = after.accounts.pop(old)
    if old in after.passwords:
        after.passwords[new] = after.passwords.pop(old)


def rename(drawn: random.Random, own: Own) -> Step | None:
    new = f"r{drawn.randrange(3)}@{own.domain}"
    if not own.accounts or new in own.accounts:
        return None
    old = drawn.choice(list(own.accounts))
    return Step(["account", "rename", old, new], lambda after: _move(after, old, new))


def rename_domain(drawn: random.Random, own: Own) -> Step | None:
    if not own.accounts:
        return None
    old = own.domain
    new = next(domain for domain in domains(own.number) if domain != old)

    def change(after: Own) -> None:
        for address in list(after.accounts):
            _move(after, address, f"{address.partition('@')[0]}@{new}")

    return Step(["domain", "rename", old, new], change)


def set_keys(drawn: random.Random, own: Own) -> Step | None:
    if not (named := some(drawn, own)):
        return None
    changes: list[tuple[list[str], Tree]] = [
        (["imap", "on"], {"imap": True}),
        (["imap", "inherit"], {"imap": None, "imap_lan_only": None}),
        (["imap", "lan-only"], {"imap_lan_only": True}),
        (["imap", "anywhere"], {"imap_lan_only": False}),
        (["multipop", "off"], {"multipop": False}),
        (["multipop", "inherit"], {"multipop": None}),
        (["outlook-connector", "off"], {"outlook_connector": False}),
        (["pop", "on", "--anywhere"], {"pop": True, "pop_lan_only": False}),
        (["account", "suspend"], {"suspended": True}),
        (["account", "resume"], {"suspended": None}),
        (["account", "expire", "--last-day", "2099-12-31"], {"expires": date(2099, 12, 31)}),
        (["account", "expire", "--never"], {"expires": None}),
        (["account", "set", "--imap", "lan-only", "--pop", "on"], {"imap": True, "imap_lan_only": True, "pop": True}),
        (["temporary", "end"], {"temporary": None}),
        (["sieve", "off"], {"sieve": False}),
        (["template", "unassign"], {"template": None}),
    ]
    command, keys = drawn.choice(changes)
    return Step([*command, *named], lambda after: _set(after, dict.fromkeys(named, keys)))


def _set(after: Own, wanted: Mapping[str, Tree]) -> None:
    for address, keys in wanted.items():
        table = after.accounts.setdefault(address, {})
        for key, value in keys.items():
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value


def until(drawn: random.Random, own: Own) -> Step | None:
    free = [address for address, table in own.accounts.items() if "temporary" not in table]
    if not free:
        return None
    address = drawn.choice(free)
    exception = {"until": date(2099, 12, 31), "smtp": True}
    return Step(
        ["smtp", "on", address, "--until", "2099-12-31"],
        lambda after: after.accounts[address].update(temporary=exception),
    )


def apply(drawn: random.Random, own: Own) -> Step:
    new = f"p{drawn.randrange(3)}@{own.domain}"
    rows: dict[str, Tree] = {address: {"pop": False, "imap": None} for address in some(drawn, own)}
    rows[new] = {"pop": True, "imap": True}
    words = {True: "on", False: "off", None: "inherit"}
    plan = "".join(f"{address},{words[keys['pop']]},{words[keys['imap']]}\n" for address, keys in rows.items())
    return Step(
        ["apply", "-", "--yes"],
        lambda after: _set(after, rows),
        f"address,pop,imap\n{plan}",
    )


def take_over(drawn: random.Random, own: Own) -> Step | None:
    """Of MDaemon: an account that is there already is left alone."""
    name = f"m{drawn.randrange(3)}"
    if f"{name}@{own.domain}" in own.accounts:
        return None
    return Step(
        ["import", "mdaemon", "-"],
        lambda after: after.accounts.update({f"{name}@{own.domain}": {"pop": True, "imap": True}}),
        f'"MailBox","Domain","AllowAccess"\n"{name}","{own.domain}",Yes\n',
    )
