"""Senders with logins and passwords that are legal and awkward, for the programs that must carry them unharmed."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

from tests.machine import Machine, user

NOBODYS = "nobody@unlisted.example"
SERVER = ("the server, itself", "p:w of the server")


class Sender(NamedTuple):
    """An account with a login of its own; `shown` is how its address is written in the store."""

    address: str
    login: str
    password: str
    shown: str = ""
    suspended: bool = False

    def spellings(self) -> list[str]:
        """The envelope senders that mean the account."""
        return [self.address, self.shown] if self.shown else [self.address]


SENDERS = [
    Sender("alice@example.com", "alice", "plain"),
    Sender("blanks@example.com", "a login  with blanks", "  two before, one\tinside"),
    Sender("quotes@example.com", 'o\'login "quoted" `here`', '"a "password" in quotes\''),
    Sender("backslash@example.com", "domain\\login\\n\\", "\\back\\\\slash\\x41\\"),
    Sender("comment@example.com", "#login", "# no = comment"),
    Sender("dollar@example.com", "$login ${x} $$ $sender_address", "$HOME $(id) ${lookup{x}} $1 \\$2"),
    Sender("colon@example.com", "colon", ":a:b::"),
    Sender("utf8@example.com", "логин-ü", "pässwörd-密码-🔑\u00a0\u3000"),
    Sender("caret@example.com", "log^^in^", "a^^^b^c;d ; e,<^"),
    Sender("braces@example.com", "{login}}{", "}{ {{ %s %% @ * & | = ~ ! ? [x]"),
    Sender("controls@example.com", "an@login.example", "\x01\x1b[31m\x7f\x0b."),
    Sender("long@example.com", "l" * 255, "p" * 400),
    Sender("o'brien+tag=x~y&z@example.com", "sieve", "address"),
    Sender("_a-b.c@sub.example.com", "-login", "-n"),
    Sender("carol@xn--bcher-kva.example", "carol", "idn", shown="carol@bücher.example"),
    Sender("gone@example.com", "gone", "still queued", suspended=True),
]
NOT_FOR_EXIM = [
    Sender("quoted@example.com", '"quoted"', '"quoted"'),
    Sender("caret-first@example.com", "^login", "password"),
    Sender("caret-in-password@example.com", "login", "^^^password"),
]
_ALPHABET = "ab:\"'\\#$^;,{}()<>%&*@!?=~`| \t\u00e9\u20ac\U0001f511"
_IN_LOGINS = _ALPHABET.replace(":", "").replace("\t", "")


def at_random(number: int) -> list[Sender]:
    """Senders with logins and passwords of awkward characters, always the same ones."""
    chance = random.Random(7)
    found = []
    for each in range(number):
        login = "".join(chance.choices(_IN_LOGINS, k=chance.randint(1, 12))).strip() or "x"
        password = "".join(chance.choices(_ALPHABET, k=chance.randint(1, 20))).rstrip() or ":"
        found.append(Sender(f"random{each}@example.com", login.lstrip('"^ ') or "x", password.lstrip("^") or ":"))
    return found


def relayed(machine: Machine, port: int, senders: list[Sender], *, per_account: bool = True, **settings: Any) -> None:
    """A store whose mail goes to a smart host on that port of loopback, and its passwords in the JSON keyring.

    `server` is the server's own login and password, None for none; `bob` is an account without a login.
    """
    server = settings.get("server", SERVER)
    lines = [
        "version = 1\n[server]\nedition = 'pro'\nlan = ['10.0.0.0/8']\n",
        f"[server.smart_host]\nhost = '127.0.0.1'\nport = {port}\nper_account_auth = {str(per_account).lower()}\n",
        f"login = {json.dumps(server[0])}\n" if server else "",
        "[accounts.'bob@example.com']\n",
    ]
    for sender in senders:
        address = json.dumps(sender.shown or sender.address, ensure_ascii=False)
        lines.append(f"[accounts.{address}]\nsmart_host_login = {_toml(sender.login)}\n")
        lines.append("suspended = true\n" if sender.suspended else "")
    machine.store.write_text("".join(lines), encoding="utf-8")
    kept = {user(sender.address, f"127.0.0.1:{port}"): sender.password for sender in senders}
    if server:
        kept[user("--server", f"127.0.0.1:{port}")] = server[1]
    machine.keyring.write_text(json.dumps({"mailpolicy": kept}), encoding="utf-8")


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
