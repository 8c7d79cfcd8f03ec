"""What one editor alone edits, in a store that others edit too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Tree = dict[str, Any]


class Own(NamedTuple):
    """The part of a store, and of its passwords, that belongs to editor `number`."""

    number: int
    accounts: Tree
    templates: Tree
    networks: Tree
    lan: list[str]
    passwords: dict[str, str]  # for the smart host, by account

    @property
    def domain(self) -> str:
        """The domain of the accounts, which may be renamed."""
        return next(iter(self.accounts), f"@{domains(self.number)[0]}").rpartition("@")[2]

    @property
    def keeps_passwords(self) -> bool:
        """Whether this editor gives passwords: one that is killed does not, as it would leave notes about them."""
        return self.number % 2 == 1


class Step(NamedTuple):
    """A command that can be carried out, what it reads, and what it makes of the part."""

    command: list[str]
    change: Callable[[Own], object]
    stdin: str = ""


def domains(number: int) -> tuple[str, str]:
    """Return the domain of an editor, and the one that it is renamed to and back."""
    return f"e{number}.example", f"e{number}.example.net"


def own_part(tree: Tree, secrets: Mapping[str, str], number: int) -> Own:
    """Return what belongs to an editor, in a store's tree and the secrets by their users."""
    ends = tuple(f"@{domain}" for domain in domains(number))
    relay = f"/smtp.relay.example:{tree['server']['smart_host'].get('port', 587)}"
    passwords = {
        user.split("/")[1]: secret
        for user, secret in secrets.items()
        if user.startswith("smart-host/") and user.removesuffix(relay).endswith(ends) and user.endswith(relay)
    }
    return Own(
        number,
        {
            address: {
                # An empty list says "none of those that others inherit", where there are any; an undo adds at the end.
                name: sorted(value) if name == "extra_lan" else value
                for name, value in table.items()
                if (name, value) != ("extra_lan", [])
            }
            for address, table in tree["accounts"].items()
            if address.endswith(ends)
        },
        {name: table for name, table in tree.get("templates", {}).items() if name.startswith(f"t{number}")},
        {name: entries for name, entries in tree.get("networks", {}).items() if name.startswith(f"n{number}")},
        sorted(entry for entry in tree["server"]["lan"] if entry.startswith(f"172.{16 + number}.")),
        passwords,
    )


def is_about(changes: str, number: int) -> bool:
    """Whether the changes of an entry of the journal are an editor's own."""
    return re.search(rf'@e{number}\.|"[tn]{number}[xy]|"172\.{16 + number}\.', changes) is not None
