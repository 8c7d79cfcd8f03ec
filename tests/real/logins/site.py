"""A policy, and from where each of its accounts gets in."""

from __future__ import annotations

from collections.abc import Callable

from tests.helpers import Result
from tests.real.clients import Attempt

INSIDE, OUTSIDE = "127.0.0.1", "127.5.5.5"
STORE = """\
version = 1

[server]
edition = "pro"
lan = ["127.0.0.0-127.0.0.9", "10.0.0.0/8"]

[defaults]
imap = true
pop = true

[accounts."open@example.com"]

[accounts."o'lan+x=y~z&@example.com"]
imap_lan_only = true
pop_lan_only = true

[accounts."off@example.com"]
imap = false
pop = false

[accounts."gone@example.com"]
suspended = true

[accounts."imap@example.com"]
pop = false
imap_lan_only = true

[accounts."bob@bücher.example"]
pop = false
"""
# From where each account gets in, over IMAP and over POP3.
NOBODY: tuple[str, ...] = ()
REACH = {
    "open@example.com": ((INSIDE, OUTSIDE), (INSIDE, OUTSIDE)),
    "o'lan+x=y~z&@example.com": ((INSIDE,), (INSIDE,)),
    "off@example.com": (NOBODY, NOBODY),
    "gone@example.com": (NOBODY, NOBODY),
    "imap@example.com": ((INSIDE,), NOBODY),
    "bob@bücher.example": ((INSIDE, OUTSIDE), NOBODY),
    "bob@xn--bcher-kva.example": ((INSIDE, OUTSIDE), NOBODY),
    "unlisted@example.com": (NOBODY, NOBODY),
}
NOTICED = 2.0  # seconds; by then a changed file must have been noticed, without a reload

Mailpolicy = Callable[..., Result]


def password_of(user: str) -> str:
    return f"the password of {user.partition('@')[0]}"


def right_attempt(service: str, user: str, ip: str = INSIDE) -> Attempt:
    return Attempt(service, ip, user, password_of(user))
