"""Check whose sessions a change ends."""

from __future__ import annotations

import pytest

from mailpolicy.export.dovecot import narrowed


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
        ("imap/o\\'b:*::::::\nsmtp/z:*::::::\n", "imap/z:*::::::\n", ["o'b", "z"]),
        ("imap/a:*::::::\n", "imap/a:*::::::allow_nets=10.0.0.0/8,fd00::/8\n", ["a"]),
        ("imap/a:*::::::allow_nets=10.0.0.0/8,fd00::/8\n", "imap/a:*::::::allow_nets=fd00::/8\n", ["a"]),
        ("imap/a:*::::::allow_nets=what somebody wrote\n", "imap/a:*::::::allow_nets=10.0.0.0/8\n", ["a"]),
    ],
)
def test_whose_access_narrowed(old: str, new: str, users: list[str]) -> None:
    assert narrowed(old, new, "allow-list") == users


@pytest.mark.parametrize(
    ("old", "new", "users"),
    [
        ("", "imap/a:*::::::\n", ["a"]),
        ("imap/a:*::::::\n", "", []),
        ("imap/a:*::::::allow_nets=11.0.0.0/8,local\n", "imap/a:*::::::\n", ["a"]),
        ("imap/a:*::::::\n", "imap/a:*::::::allow_nets=11.0.0.0/8,local\n", []),
    ],
)
def test_whose_access_narrowed_in_a_deny_list(old: str, new: str, users: list[str]) -> None:
    assert narrowed(old, new, "deny-list") == users
