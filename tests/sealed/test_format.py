"""Check that every change of a sealed file is noticed, and that it shows no name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.errors import KeyringError
from mailpolicy.sealed.file import SecretsFile
from mailpolicy.sealed.format import Key, Secrets, parse_header, seal
from tests.sealed.samples import ALICE, BOB, KEY, SECRETS, SERVICE, opened, read

TEXT = st.text(max_size=20)
ANY = st.dictionaries(TEXT, st.dictionaries(TEXT, st.text(max_size=40), max_size=8), max_size=3)


@given(ANY, st.integers(0, 10**18 - 1))
def test_any_names_and_any_secrets(secrets: Secrets, writes: int) -> None:
    content = seal("FILE", KEY, writes, secrets)
    assert opened(content) == secrets
    assert parse_header("FILE", content) == (KEY.id, writes)


@given(ANY)
def test_names_and_single_lengths_are_hidden(secrets: Secrets) -> None:
    """The length of the whole shows, and nothing else: other secrets, as long in all, give a file as long."""
    content = seal("FILE", KEY, 1, {"service": {"name-of-alice": "s3cret", "b": "1234567890"}, **secrets})
    assert b"alice" not in content
    assert b"s3cret" not in content
    assert content != seal("FILE", KEY, 1, {"service": {"name-of-alice": "s3cret", "b": "1234567890"}, **secrets})
    other = seal("FILE", KEY, 1, {"service": {"name-of-a": "1234567890", "bob-b": "s3cret"}, **secrets})
    assert len(content) == len(other)


def test_text_that_is_none(filled: SecretsFile, tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="is not Unicode text") as caught:
        filled.change(SERVICE, {ALICE: "s3cret\udcff"})
    assert "s3cret" not in str(caught.value)
    assert read(tmp_path) == SECRETS


SMALL = seal("FILE", KEY, 3, {SERVICE: {ALICE: "s3cret-of-alice", BOB: ""}})


def test_each_changed_bit_is_noticed() -> None:
    for position in range(len(SMALL)):
        for bit in range(8):
            content = bytearray(SMALL)
            content[position] ^= 1 << bit
            with pytest.raises(KeyringError):
                opened(bytes(content))


@given(st.integers(0, len(SMALL) - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_each_cut_and_each_addition_is_noticed(cut: int, before: bytes, behind: bytes) -> None:
    for content in (SMALL[:cut], SMALL[cut + 1 :], before + SMALL[:cut] + behind + SMALL[cut:]):
        if content != SMALL:
            with pytest.raises(KeyringError):
                opened(content)


def test_another_key_or_version_opens_nothing() -> None:
    other = Key(b"K" * 32)
    with pytest.raises(KeyringError, match="damaged, truncated or modified"):
        opened(SMALL.replace(KEY.id.encode(), other.id.encode()), other)
    with pytest.raises(KeyringError, match="written by a newer mailpolicy") as caught:
        opened(SMALL.replace(b"mailpolicy-secrets 1", b"mailpolicy-secrets 2"))
    assert caught.value.code == "newer-secrets"
