"""Secrets and a key for sealed files, and what a new process reads of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailpolicy.errors import KeyringError
from mailpolicy.sealed.format import Key, Secrets, parse_header, unseal
from tests.sealing import sealed_file

SERVICE, ALICE, BOB = "mailpolicy", "smart-host/alice@example.com", "smart-host/bob@example.com"
SECRETS = {ALICE: "s3cret-of-alice", BOB: "s3cret of bob\nwith a line", "smart-host/@server": "x" * 65536}
KEY = Key(b"k" * 32)


def read(folder: Path) -> dict[str, str]:
    """What a new process gets, with its user names."""
    return sealed_file(folder).get_all().get(SERVICE, {})


def refusal(folder: Path) -> KeyringError:
    """Why a new process gets nothing."""
    with pytest.raises(KeyringError) as caught:
        sealed_file(folder).get_many(SERVICE, [ALICE])
    assert caught.value.exit_status == 6
    assert not any(secret in str(caught.value) for secret in SECRETS.values())
    return caught.value


def opened(content: bytes, key: Key = KEY) -> Secrets:
    if parse_header("FILE", content).key_id != key.id:
        raise KeyringError("no key is found")
    return unseal("FILE", key, content)
