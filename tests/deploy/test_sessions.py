"""Check whose sessions a change ends."""

from __future__ import annotations

import pytest

from mailpolicy.export.dovecot import narrowed, restricted


@pytest.mark.parametrize(
    ("old", "new", "users"),
    [
        ("imap/a:*::::::\n", "imap/a:*::::::\n", []),
        ("imap/a:*::::::\n", "", ["a"]),
        ("", "imap/a:*::::::\n", []),
        ("imap/a:*::::::\n", "imap/a:*::::::allow_nets=10.0.0.0/8\n", ["a"]),
        ("imap/a:*::::::allow_nets=10.0.0.0/8\n", "imap/a:*::::::\n", []),
        ("imap/a:*::::::allow_nets=10.0.0.0/8,fd00::/8\n", "imap/a:*::::::allow_nets=10.0.0.0/8\n", ["a"]),
        ("imap/a:*::::::allow_nets=10.0.0.0/9,10.128.0.0/9\n", "imap/a:*::::::allow_nets=10.0.0.0/8\n", []),
        ("imap/o\\'b:*::::::\npop3/z:*::::::\n", "imap/z:*::::::\n", ["o'b", "z"]),
        # What a file does not cover is open to everybody.
        ("imap/a:*::::::\nsmtp/a:*::::::\n", "imap/a:*::::::\n", []),
        (
            "imap/a:*::::::\nimap/b:*::::::\n",
            "# services: imap pop3 smtp\nimap/a:*::::::\nimap/b:*::::::\nsmtp/a:*::::::\n",
            ["b"],
        ),
        ("imap/a:*::::::\n", "imap/a:*::::::\nsmtp/a:*::::::allow_nets=10.0.0.0/8\n", ["a"]),
        ("# services: imap smtp\nimap/a:*::::::\nsmtp/a:*::::::\n", "# services: imap smtp\nimap/a:*::::::\n", ["a"]),
        (
            "# services: imap smtp\nimap/a:*::::::\n",
            "# services: imap\nimap/a:*::::::\n# no longer covered: smtp\nsmtp/b:*::::::\n",
            [],
        ),
        ("imap/a:*::::::\n", "imap/a:*::::::allow_nets=10.0.0.0/8,fd00::/8\n", ["a"]),
        ("imap/a:*::::::allow_nets=10.0.0.0/8,fd00::/8\n", "imap/a:*::::::allow_nets=fd00::/8\n", ["a"]),
        ("imap/a:*::::::allow_nets=what somebody wrote\n", "imap/a:*::::::allow_nets=10.0.0.0/8\n", ["a"]),
    ],
)
def test_whose_access_narrowed(old: str, new: str, users: list[str]) -> None:
    assert _users(narrowed(old, new, "allow-list")) == users


@pytest.mark.parametrize(
    ("old", "new", "users"),
    [
        ("", "imap/a:*::::::\n", ["a"]),
        ("imap/a:*::::::\n", "", []),
        ("imap/a:*::::::allow_nets=11.0.0.0/8,local\n", "imap/a:*::::::\n", ["a"]),
        ("imap/a:*::::::\n", "imap/a:*::::::allow_nets=11.0.0.0/8,local\n", []),
        ("smtp/a:*::::::\n", "", []),
        ("imap/b:*::::::\n", "imap/b:*::::::\nsmtp/a:*::::::\n", ["a"]),
    ],
)
def test_whose_access_narrowed_in_a_deny_list(old: str, new: str, users: list[str]) -> None:
    assert _users(narrowed(old, new, "deny-list")) == users


def _users(keys: list[str]) -> list[str]:
    return sorted({key.partition("/")[2] for key in keys})


NARROWED = ["imap/a", "smtp/a", "smtp/b"]


@pytest.mark.parametrize(
    ("text", "strategy", "left"),
    [
        ("# services: imap smtp\nimap/a:*::::::\nsmtp/b:*::::::\n", "allow-list", ["smtp/a"]),
        ("# services: imap smtp\nimap/a:*::::::allow_nets=10.0.0.0/8\n", "allow-list", NARROWED),
        ("# services: imap\nimap/a:*::::::\n", "allow-list", []),
        ("# services: imap\n# no longer covered: smtp\nsmtp/b:*::::::\n", "allow-list", ["imap/a"]),
        ("# services: imap smtp\nsmtp/b:*::::::\n", "deny-list", ["smtp/b"]),
    ],
)
def test_who_has_nothing_to_lose_any_more(text: str, strategy: str, left: list[str]) -> None:
    assert restricted(NARROWED, text, strategy) == left
