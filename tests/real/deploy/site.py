"""A real Dovecot with a configuration of its own, into which mailpolicy deploys."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.helpers import Result
from tests.real.clients import Attempt

STORE = """\
version = 1
[server]
edition = "pro"
lan = ["10.0.0.0/8"]
[accounts."off@example.com"]
[accounts."on@example.com"]
imap = true
pop = true
"""
OFF = Attempt("imap", "10.0.0.1", "off@example.com", "secret")
ON = OFF._replace(user="on@example.com")
Mailpolicy = Callable[..., Result]


def checked(mailpolicy: Mailpolicy) -> tuple[str, str]:
    """The state and the message of doctor's only check of Dovecot."""
    (found,) = all_checked(mailpolicy)
    return found


def all_checked(mailpolicy: Mailpolicy) -> list[tuple[str, str]]:
    """The states and the messages of doctor's checks of Dovecot."""
    checks = json.loads(mailpolicy("doctor", "--json").out)["checks"]
    return [(one["state"], one["message"]) for one in checks if one["check"] == "dovecot"]


BEFORE, AFTER = "00-a-site.conf", "50-site.conf"


def not_obeyed(mailpolicy: Mailpolicy, *named: str) -> None:
    """It is an error every time, for whoever deploys, only looks, or asks the doctor."""
    for arguments, status in ((("deploy",), 5), (("deploy",), 5), (("deploy", "--check"), 1)):
        result = mailpolicy(*arguments)
        assert result.status == status, result
        assert all(part in result.err for part in named), result.err
    assert result.out.splitlines()[-1].endswith("\tdiffers")
    state, message = checked(mailpolicy)
    assert (state, mailpolicy("doctor").status) == ("error", 1), message
    assert all(part in message for part in named), message
