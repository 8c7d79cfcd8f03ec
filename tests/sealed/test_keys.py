"""Check which key is used, which is refused, and that a rotation loses nothing."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from mailpolicy.errors import KeyringError, Refused
from mailpolicy.sealed.file import SecretsFile
from mailpolicy.sealed.format import Header, Key
from mailpolicy.sealed.key_source import KeyLocations
from mailpolicy.system import held
from mailpolicy.system.keyrings import choice
from tests.sealed.samples import ALICE, KEY, SECRETS, SERVICE, read, refusal
from tests.sealing import sealed_file


def test_a_wrong_key(filled: SecretsFile, tmp_path: Path) -> None:
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "key").write_bytes(b"k" * 32)
    error = refusal(tmp_path)
    assert error.code == "wrong-key"
    assert KEY.id in error.message


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o444, 0o604, 0o640])
def test_a_key_file_readable_by_others(filled: SecretsFile, tmp_path: Path, mode: int) -> None:
    (tmp_path / "key").chmod(mode)
    error = refusal(tmp_path)
    assert (error.code, error.fix) == ("unsafe-key", ("chmod", "0400", str(tmp_path / "key")))
    with pytest.raises(KeyringError, match="can be read by others"):
        filled.create()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_key_file_of_somebody_else(filled: SecretsFile, tmp_path: Path) -> None:
    os.chown(tmp_path / "key", 65534, -1)
    assert "can be changed by users other than root" in refusal(tmp_path).message


@pytest.mark.parametrize("text", [b"", b"short", b"k" * 33, b"z" * 64, b"ab" * 31 + b"\n\n"])
def test_a_file_that_is_no_key(filled: SecretsFile, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "key").write_bytes(text)
    error = refusal(tmp_path)
    assert error.code == "no-key"
    assert not text or text.decode().strip() not in error.message


def test_a_key_as_digits(filled: SecretsFile, tmp_path: Path) -> None:
    key = tmp_path / "key"
    digits = key.read_bytes().hex()
    key.chmod(0o600)
    for text in (digits, digits.upper() + "\n"):
        key.write_text(text)
        assert read(tmp_path) == SECRETS


def test_a_lost_key_is_not_made_anew(filled: SecretsFile, tmp_path: Path) -> None:
    (tmp_path / "key").unlink()
    assert refusal(tmp_path).code == "no-key"
    with pytest.raises(KeyringError, match=r"restore .* from a backup"):
        sealed_file(tmp_path).create()
    assert not (tmp_path / "key").exists()


def test_a_lost_file_is_not_made_by_a_set(filled: SecretsFile, tmp_path: Path) -> None:
    (tmp_path / "secrets").unlink()
    for action in (lambda: filled.change(SERVICE, {ALICE: "new"}), filled.get_all, filled.rotate):
        with pytest.raises(KeyringError) as caught:
            action()
        assert caught.value.code == "no-secrets-file"
    assert not (tmp_path / "secrets").exists()


def located(folder: Path, sources: KeyLocations) -> SecretsFile:
    return SecretsFile.at(str(folder / "secrets"), sources)


def test_the_first_key_that_is_configured(filled: SecretsFile, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    sources = KeyLocations(str(folder), str(tmp_path / "key"))
    assert located(tmp_path, sources).get_many(SERVICE, SECRETS) == SECRETS  # no mailpolicy.key in it
    credential = folder / "mailpolicy.key"
    credential.write_bytes((tmp_path / "key").read_bytes())
    (tmp_path / "key").unlink()
    credential.chmod(0o444)
    folder.chmod(0o755)
    with pytest.raises(KeyringError, match="can be read by others"):
        located(tmp_path, sources).get_many(SERVICE, SECRETS)
    folder.chmod(0o500)  # as systemd makes it
    assert located(tmp_path, sources).get_many(SERVICE, SECRETS) == SECRETS
    public = tmp_path / "public"
    public.mkdir(mode=0o755)
    folder.chmod(0o700)
    credential.rename(public / "key")
    (public / "key").chmod(0o444)
    credential.symlink_to(public / "key")  # a container's runtime makes links; what they lead to counts
    with pytest.raises(KeyringError, match="can be read by others"):
        located(tmp_path, sources).get_many(SERVICE, SECRETS)
    credential.unlink()
    (public / "key").rename(credential)
    credential.chmod(0o440)  # with an ACL for the service's user the group's bits are its mask
    assert located(tmp_path, sources).get_many(SERVICE, SECRETS) == SECRETS


class Silent:
    """A desktop keyring that waits for somebody."""

    def get_password(self, service: str, user: str) -> str:
        threading.Event().wait(20)
        return ""


def test_a_silent_desktop_keyring_makes_nobody_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "desktop_keyring", lambda is_root: Silent())
    sealed_file(tmp_path)
    file = located(tmp_path, KeyLocations(timeout=0.05))
    for action in (file.rotate, file.create, file.header, lambda: file.change(SERVICE, {ALICE: "new"})):
        with held.locked(str(tmp_path / "secrets"), 0), pytest.raises(KeyringError, match="did not answer within"):
            action()  # before it would wait for the lock


def test_rotation(filled: SecretsFile, tmp_path: Path) -> None:
    filled.change("another service", {"user": "theirs"})
    before = filled.header()
    old, new, count = filled.rotate()
    assert (old, count) == (before.key_id, 4)
    assert new == Key((tmp_path / "key").read_bytes()).id != old
    assert filled.header() == Header(new, before.writes + 1)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o400
    assert sealed_file(tmp_path).get_all() == {SERVICE: SECRETS, "another service": {"user": "theirs"}}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "secrets", "secrets.lock"]


@pytest.mark.parametrize("lost", [False, True], ids=["both keys are there", "only the next key is there"])
def test_a_rotation_that_stopped_between_file_and_key(filled: SecretsFile, tmp_path: Path, lost: bool) -> None:
    """Each command opens the secrets with the next key, and the next rotation puts all right."""
    shutil.copy(tmp_path / "key", tmp_path / "old")
    filled.rotate()
    (tmp_path / "key").rename(tmp_path / "key.next")
    if not lost:
        (tmp_path / "old").rename(tmp_path / "key")
    assert read(tmp_path) == SECRETS
    assert sealed_file(tmp_path).rotation_interrupted()
    sealed_file(tmp_path).change(SERVICE, {ALICE: "new"})
    sealed_file(tmp_path).rotate()
    assert read(tmp_path) == {**SECRETS, ALICE: "new"}
    assert not sealed_file(tmp_path).rotation_interrupted()
    assert not (tmp_path / "key.next").exists()


def test_a_next_key_that_nothing_is_sealed_with(filled: SecretsFile, tmp_path: Path) -> None:
    """A rotation that stopped before the file was replaced."""
    (tmp_path / "key.next").write_bytes(b"n" * 32)
    (tmp_path / "key.next").chmod(0o400)
    for name in (".key.next.new-0123456789abcdef", ".key.new-0123456789abcdef"):
        (tmp_path / name).write_bytes(b"k" * 32)
    assert read(tmp_path) == SECRETS
    assert not sealed_file(tmp_path).rotation_interrupted()
    assert filled.rotate()[1] != Key(b"n" * 32).id
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "secrets", "secrets.lock"]


def test_a_credential_is_rotated_into_a_file(filled: SecretsFile, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    (tmp_path / "key").rename(folder / "mailpolicy.key")
    given = located(tmp_path, KeyLocations(str(folder)))
    with pytest.raises(Refused, match="--new-key-file"):
        given.rotate()
    new = tmp_path / "new-key"
    given.rotate(str(new))
    assert given.get_many(SERVICE, SECRETS) == SECRETS  # this process has it
    with pytest.raises(KeyringError, match="sealed with the key"):
        located(tmp_path, KeyLocations(str(folder))).get_many(SERVICE, SECRETS)
    reader = located(tmp_path, KeyLocations(key_file=str(new)))
    assert reader.get_many(SERVICE, SECRETS) == SECRETS
    with pytest.raises(Refused, match="this key is in use already"):  # which would rotate nothing
        reader.rotate(str(new))


def test_a_new_key_that_is_removed_meanwhile(
    filled: SecretsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, real = tmp_path / "new", os.stat
    new.write_bytes(b"k" * 32)
    new.chmod(0o400)

    def stat(path: int | str | os.PathLike[str], **options: Any) -> os.stat_result:
        facts = real(path, **options)
        if path == str(new):
            new.unlink()
        return facts

    with monkeypatch.context() as attacked:
        attacked.setattr(os, "stat", stat)
        with pytest.raises(KeyringError, match="was removed meanwhile"):
            filled.rotate(str(new))
    assert read(tmp_path) == SECRETS
