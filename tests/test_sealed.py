"""The sealed file: keyring's own tests, any damage noticed and named, writers that lose nothing, keys."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import keyring.core
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring import backend
from keyring.backends import fail
from keyring.errors import PasswordDeleteError, PasswordSetError
from keyring.testing.backend import BackendBasicTests
from sealing import sealed_keyring

from mailpolicy import files, sealed
from mailpolicy.errors import KeyringError, MailpolicyError, NotConfirmed, Refused, StillLocked, WriteFailed
from mailpolicy.sealed import content, keys
from mailpolicy.sealed.content import Key, Name

SERVICE, ALICE, BOB = "mailpolicy", "smart-host/alice@example.com", "smart-host/bob@example.com"
SECRETS = {ALICE: "s3cret-of-alice", BOB: "s3cret of bob\nwith a line", "smart-host/@server": "x" * 65536}


class TestBackend(BackendBasicTests):
    """The tests that keyring has for its own backends."""

    def init_keyring(self) -> sealed.Keyring:
        self._held = tempfile.TemporaryDirectory()
        return sealed_keyring(Path(self._held.name))

    def cleanup(self) -> None:
        super().cleanup()
        self._held.cleanup()


@pytest.fixture
def filled(tmp_path: Path) -> sealed.Keyring:
    """A keyring with three secrets."""
    keyring = sealed_keyring(tmp_path)
    keyring.set_passwords(SERVICE, SECRETS)
    return keyring


def read(keyring: sealed.Keyring) -> dict[str, str]:
    return keyring.get_passwords(SERVICE, list(SECRETS))


def refusal(keyring: sealed.Keyring) -> MailpolicyError:
    """Why a fresh reader refuses the file."""
    with pytest.raises(keyring_error()) as caught:
        keyring.get_password(SERVICE, ALICE)
    assert isinstance(caught.value.__cause__, MailpolicyError)
    for secret in SECRETS.values():
        assert secret not in str(caught.value)
    return caught.value.__cause__


def keyring_error() -> type[Exception]:
    from keyring.errors import KeyringError

    return KeyringError


# Never by itself


def test_it_is_never_chosen_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sealed.Keyring in backend.KeyringBackend._classes
    for others in ([fail.Keyring()], []):
        monkeypatch.setattr(backend, "get_all_keyring", lambda others=others: [*others, sealed.Keyring()])
        for limit in (None, keyring.core.recommended):
            chosen = keyring.core._detect_backend(limit)
            assert (type(chosen) is sealed.Keyring) is (not others and limit is None)
    assert sealed.Keyring.priority < fail.Keyring.priority
    assert keyring.core._load_keyring_class("mailpolicy.sealed.Keyring") is sealed.Keyring


def test_importing_it_does_not_choose_it(tmp_path: Path) -> None:
    code = "import mailpolicy.sealed, keyring, sys; print(type(keyring.get_keyring()).__module__, 'cryptography' in sys.modules)"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "keyring.backends.fail"


def test_another_program_names_it(filled: sealed.Keyring, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "KEYRING_PROPERTY_SECRETS_FILE": str(tmp_path / "secrets"),
        "KEYRING_PROPERTY_KEY_FILE": str(tmp_path / "key"),
    }
    command = [sys.executable, "-m", "keyring", "-b", "mailpolicy.sealed.Keyring", "get", SERVICE, ALICE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == SECRETS[ALICE]


# Any text


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=30), max_size=30), st.text(max_size=8))
def test_any_names_and_any_secrets(secrets: dict[str, str], service: str) -> None:
    key = Key(bytes(32))
    pieces = list(content.sealed([], 0, key))
    half = dict(list(secrets.items())[::2])
    for changes in (half, secrets):
        try:
            pieces = list(content.Change(key, service, changes).made(iter(pieces)))
        except content.Unchanged:
            continue
    assert content.several(pieces, key, service, secrets) == secrets
    assert content.everything(pieces, key) == {Name(service, user): secret for user, secret in secrets.items()}
    lines = b"".join(pieces).split(b"\n")[1:-2]
    fields = [line.partition(b"\t")[0] for line in lines]
    assert fields == sorted(fields)
    removed = list(content.Change(key, service, dict.fromkeys(half)).made(iter(pieces))) if half else pieces
    left = {user: secret for user, secret in secrets.items() if user not in half}
    assert content.several(removed, key, service, secrets) == left


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["", "a", "b" * 300, None])), max_size=40),
    st.integers(1, 400),
)
def test_pieces_of_any_size(steps: list[tuple[int, str | None]], size: int) -> None:
    """However the file is cut into pieces of whole lines, a change is the same as in a dict."""
    key, model = Key(b"k" * 32), {}
    text = b"".join(content.sealed([], 0, key))
    for number, secret in steps:
        change = content.Change(key, SERVICE, {f"user{number}": secret, f"user{number + 7}": secret})
        with suppress(content.Unchanged):
            text = b"".join(change.made(cut(text, size)))
            assert len(text) == change.size
            assert change.holds(b"".join(text[start : start + length] for start, length in change.places))
        assert change.before == {user: model[user] for user in change.secrets if user in model}
        for user in change.secrets:
            model.pop(user, None)
            if secret is not None:
                model[user] = secret
        assert {name.user: value for name, value in content.everything(cut(text, size), key).items()} == model


def cut(text: bytes, size: int):  # type: ignore[no-untyped-def]
    lines, piece = text.splitlines(keepends=True), b""
    for line in lines:
        piece += line
        if len(piece) >= size:
            yield piece
            piece = b""
    if piece:
        yield piece


def test_text_that_is_none(filled: sealed.Keyring) -> None:
    with pytest.raises(PasswordSetError, match="is not Unicode text") as caught:
        filled.set_password(SERVICE, ALICE, "s3cret\udcff")
    assert "s3cret" not in str(caught.value)
    assert read(filled) == SECRETS


def test_equal_secrets_look_different(filled: sealed.Keyring, tmp_path: Path) -> None:
    filled.set_passwords(SERVICE, {f"u{number}": "the same" for number in range(50)})
    lines = (tmp_path / "secrets").read_bytes().split(b"\n")
    assert len({line.partition(b"\t")[2] for line in lines if line.startswith(b"mailpolicy u")}) == 50
    assert b"the same" not in (tmp_path / "secrets").read_bytes()


# Damage


def test_each_bit_flip_is_noticed_and_named(tmp_path: Path) -> None:
    keyring = sealed_keyring(tmp_path)
    keyring.set_passwords(SERVICE, {ALICE: "one", BOB: "two"})
    path, key = tmp_path / "secrets", Key((tmp_path / "key").read_bytes())
    whole = path.read_bytes()
    lines = whole.count(b"\n")
    for position in range(len(whole)):
        number = whole.count(b"\n", 0, position) + 1
        for bit in range(8):
            data = bytearray(whole)
            data[position] ^= 1 << bit
            with pytest.raises(content.Unsound):
                content.everything([bytes(data)], key)
            message = content.fault(bytes(data), key).message
            # The newline at a line's end is as much the next one's beginning.
            named = {number, number + 1} if whole[position] == 0x0A else {number}
            if number in (1, lines):
                named |= {1, lines, lines + 1}
            assert any(f"line {line} " in f"{message} " or f"line {line}," in message for line in named), (
                position,
                message,
            )


@pytest.mark.parametrize("cut", [0, 1, 30, 54, 60, 120, -2, -1])
def test_a_truncated_file(filled: sealed.Keyring, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "secrets"
    path.write_bytes(path.read_bytes()[:cut])
    error = refusal(sealed_keyring_at(tmp_path))
    assert (error.exit_status, error.code) == (6, "damaged-secrets")
    assert str(path) in error.message
    with pytest.raises(PasswordSetError):
        filled.set_password(SERVICE, ALICE, "new")


def sealed_keyring_at(folder: Path) -> sealed.Keyring:
    """As another process would open it."""
    return sealed.Keyring(sealed.located(str(folder / "secrets"), keys.Sources(key_file=str(folder / "key"))))


def altered(path: Path, change: Callable[[list[bytes]], None]) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))


def swap(lines: list[bytes]) -> None:
    """The sealed parts of two entries, under each other's names."""
    (one, first), (two, second) = lines[1].split(b"\t"), lines[2].split(b"\t")
    lines[1:3] = [one + b"\t" + second, two + b"\t" + first]


def move(lines: list[bytes]) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def remove(lines: list[bytes]) -> None:
    del lines[2]


def double(lines: list[bytes]) -> None:
    lines.insert(2, lines[1])


def append(lines: list[bytes]) -> None:
    lines.append(lines[1])


@pytest.mark.parametrize("change", [swap, move, remove, double, append], ids=lambda change: change.__name__)
def test_entries_that_were_moved_about(
    filled: sealed.Keyring, tmp_path: Path, change: Callable[[list[bytes]], None]
) -> None:
    altered(tmp_path / "secrets", change)
    before = (tmp_path / "secrets").read_bytes()
    error = refusal(sealed_keyring_at(tmp_path))
    assert error.code == "damaged-secrets"
    assert "line 2 (smart-host/@server)" in error.message if change is swap else "line " in error.message
    with pytest.raises(PasswordSetError):
        filled.set_password(SERVICE, "another", "new")
    assert (tmp_path / "secrets").read_bytes() == before  # what is damaged is not sealed again


def test_one_entry_brought_back_from_an_older_file(filled: sealed.Keyring, tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    old = path.read_bytes().splitlines(keepends=True)[2]
    filled.set_password(SERVICE, ALICE, "the new one")

    def back(lines: list[bytes]) -> None:
        lines[2] = old

    altered(path, back)
    assert "brought back from an older file" in refusal(filled).message


def test_a_whole_older_file_is_not_recognised(filled: sealed.Keyring, tmp_path: Path) -> None:
    """As docs/secrets.md says; the count of writes shows it to whoever knows it."""
    old = (tmp_path / "secrets").read_bytes()
    filled.set_password(SERVICE, ALICE, "the new one")
    assert filled.sealed_file().facts().writes == 2
    (tmp_path / "secrets").write_bytes(old)
    assert filled.get_password(SERVICE, ALICE) == SECRETS[ALICE]
    assert filled.sealed_file().facts().writes == 1


def test_a_newer_version(filled: sealed.Keyring, tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.write_bytes(path.read_bytes().replace(b"mailpolicy-secrets 1", b"mailpolicy-secrets 2"))
    assert refusal(filled).code == "newer-secrets"


# Keys


def test_a_wrong_key(filled: sealed.Keyring, tmp_path: Path) -> None:
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "key").write_bytes(b"k" * 32)
    error = refusal(sealed_keyring_at(tmp_path))
    assert (error.exit_status, error.code) == (6, "wrong-key")
    assert Key(b"k" * 32).id in error.message


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o444, 0o604, 0o640])
def test_a_key_file_readable_by_others(filled: sealed.Keyring, tmp_path: Path, mode: int) -> None:
    (tmp_path / "key").chmod(mode)
    error = refusal(sealed_keyring_at(tmp_path))
    assert (error.exit_status, error.code) == (6, "unsafe-key")
    assert error.fix == f"chmod 0400 {tmp_path / 'key'}"
    with pytest.raises(KeyringError):
        sealed_keyring(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_key_file_of_somebody_else(filled: sealed.Keyring, tmp_path: Path) -> None:
    os.chown(tmp_path / "key", 65534, -1)
    assert "belongs to somebody else" in refusal(sealed_keyring_at(tmp_path)).message


@pytest.mark.parametrize("text", [b"", b"short", b"k" * 33, b"z" * 64, b"ab" * 31 + b"\n\n"])
def test_a_file_that_is_no_key(filled: sealed.Keyring, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "key").write_bytes(text)
    error = refusal(sealed_keyring_at(tmp_path))
    assert error.code == "no-key"
    assert not text or text.decode().strip() not in error.message.replace(str(tmp_path), "")


def test_a_key_as_digits(filled: sealed.Keyring, tmp_path: Path) -> None:
    key = tmp_path / "key"
    digits = key.read_bytes().hex()
    key.chmod(0o600)
    for text in (digits, digits.upper() + "\n"):
        key.write_text(text)
        assert read(sealed_keyring_at(tmp_path)) == SECRETS


def test_a_lost_key_is_not_made_anew(filled: sealed.Keyring, tmp_path: Path) -> None:
    (tmp_path / "key").unlink()
    assert refusal(sealed_keyring_at(tmp_path)).code == "no-key"
    with pytest.raises(KeyringError, match=r"bring .* back from a backup"):
        sealed_keyring(tmp_path)
    assert not (tmp_path / "key").exists()


def test_a_lost_file_is_not_made_by_a_set(filled: sealed.Keyring, tmp_path: Path) -> None:
    (tmp_path / "secrets").unlink()
    assert refusal(filled).code == "no-secrets-file"
    with pytest.raises(PasswordSetError):
        filled.set_password(SERVICE, ALICE, "new")
    assert not (tmp_path / "secrets").exists()


def test_the_first_key_that_is_configured(filled: sealed.Keyring, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    sources = keys.Sources(str(folder), str(tmp_path / "key"))
    path = str(tmp_path / "secrets")
    assert sealed.located(path, sources).several(SERVICE, SECRETS) == SECRETS  # no mailpolicy.key in it
    credential = folder / "mailpolicy.key"
    credential.write_bytes((tmp_path / "key").read_bytes())
    (tmp_path / "key").unlink()
    credential.chmod(0o444)
    folder.chmod(0o755)
    with pytest.raises(KeyringError, match="can be read by others"):
        sealed.located(path, sources).several(SERVICE, SECRETS)
    folder.chmod(0o500)  # as systemd makes it
    assert sealed.located(path, sources).several(SERVICE, SECRETS) == SECRETS
    credential.chmod(0o440)  # with an ACL for the service's user the group's bits are its mask
    assert sealed.located(path, sources).several(SERVICE, SECRETS) == SECRETS


# Writing


def test_nothing_new_is_not_written(filled: sealed.Keyring, tmp_path: Path) -> None:
    before = (tmp_path / "secrets").stat()
    filled.set_password(SERVICE, ALICE, SECRETS[ALICE])
    with pytest.raises(PasswordDeleteError):
        filled.delete_password(SERVICE, "nobody")
    after = (tmp_path / "secrets").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "secrets", "secrets.lock"]
    assert stat.S_IMODE(after.st_mode) == 0o600


def _write_many(folder: str, first: int) -> None:
    keyring = sealed_keyring(Path(folder))
    for number in range(first, first + 15):
        keyring.set_password(SERVICE, f"user{number}", f"secret{number}")


def test_two_writers_lose_nothing(filled: sealed.Keyring, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_write_many, args=(str(tmp_path), first)) for first in (0, 15, 30)]
    for writer in writers:
        writer.start()
    filled.sealed_file().rotate()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert read(filled) == SECRETS
    users = [f"user{number}" for number in range(45)]
    assert filled.get_passwords(SERVICE, users) == {user: user.replace("user", "secret") for user in users}


def test_a_held_lock(filled: sealed.Keyring, tmp_path: Path) -> None:
    with files.locked(str(tmp_path / "secrets"), 0):
        assert read(filled) == SECRETS  # readers take none
        with pytest.raises(PasswordSetError) as caught:
            sealed_keyring_with_timeout(tmp_path).set_password(SERVICE, ALICE, "new")
    assert isinstance(caught.value.__cause__, StillLocked)


def sealed_keyring_with_timeout(folder: Path) -> sealed.Keyring:
    return sealed.Keyring(sealed.located(str(folder / "secrets"), keys.Sources(key_file=str(folder / "key")), 0.05))


def test_a_killed_writer_leaves_the_old_or_the_new(filled: sealed.Keyring, tmp_path: Path) -> None:
    filled.set_passwords(SERVICE, {f"user{number}": "x" * 200 for number in range(3000)})
    fork = multiprocessing.get_context("fork")
    for step in range(12):
        writer = fork.Process(target=lambda: [filled.set_password(SERVICE, ALICE, str(n)) for n in range(999)])
        writer.start()
        time.sleep(0.004 * (step + 1))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        assert sealed_keyring_at(tmp_path).get_password(SERVICE, BOB) == SECRETS[BOB]
    filled.set_password(SERVICE, ALICE, "last")
    assert not [path for path in tmp_path.iterdir() if ".new-" in path.name]


def _on_a_full_disk(action: Callable[[], object]) -> str:
    """The kind of error that an action ends with where no file may grow."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            action()
            answer = "nothing"
        except BaseException as error:  # noqa: BLE001 - told to the parent
            answer = type(error.__cause__ or error).__name__
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(child, 0)
    return answer


def test_a_full_disk(filled: sealed.Keyring, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert _on_a_full_disk(lambda: filled.set_password(SERVICE, ALICE, "new")) == WriteFailed.__name__
    assert _on_a_full_disk(filled.sealed_file().rotate) == WriteFailed.__name__
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert read(sealed_keyring_at(tmp_path)) == SECRETS


# Rotation


def test_rotation(filled: sealed.Keyring, tmp_path: Path) -> None:
    filled.set_password("another service", "user", "theirs")
    old_file, old_key = (tmp_path / "secrets").read_bytes(), (tmp_path / "key").read_bytes()
    old, new, count = filled.sealed_file().rotate()
    assert (old, count) == (Key(old_key).id, 4)
    assert new == Key((tmp_path / "key").read_bytes()).id != old
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o400
    assert read(sealed_keyring_at(tmp_path)) == SECRETS
    assert filled.get_password("another service", "user") == "theirs"
    blobs = {line.partition(b"\t")[2] for line in old_file.split(b"\n")[1:-2]}
    assert not any(blob in (tmp_path / "secrets").read_bytes() for blob in blobs)
    assert not (tmp_path / "key.next").exists()


def rotation_killed_after(keyring: sealed.Keyring, step: str) -> None:
    """A rotation in a process of its own that ends right after one of its steps."""

    def killed() -> None:
        target = keyring.sealed_file() if step == "_install" else keyring.sealed_file().place
        real = getattr(target, step)

        def last(*arguments: object) -> None:
            real(*arguments)
            os._exit(9)

        setattr(target, step, last)
        keyring.sealed_file().rotate()

    child = multiprocessing.get_context("fork").Process(target=killed)
    child.start()
    child.join(30)
    assert child.exitcode == 9


@pytest.mark.parametrize("step", ["keep_next", "_install", "promote"])
@pytest.mark.parametrize("then", ["keep_next", "_install", "promote"])
def test_rotations_that_are_killed(filled: sealed.Keyring, tmp_path: Path, step: str, then: str) -> None:
    """Two of them; every time the secrets can be opened, and a third rotation puts all right."""
    for last in (step, then):
        rotation_killed_after(filled, last)
        again = sealed_keyring_at(tmp_path)
        assert read(again) == SECRETS
        assert again.sealed_file().half_rotated() is (last == "_install")
    again.set_password(SERVICE, "another", "new")
    again.sealed_file().rotate()
    assert read(sealed_keyring_at(tmp_path)) == SECRETS
    assert not again.sealed_file().half_rotated()
    assert not (tmp_path / "key.next").exists()


def test_a_rotation_whose_key_cannot_be_put_in_place(
    filled: sealed.Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.rename

    def rename(source: str, target: str) -> None:
        if str(source).endswith("key.next"):
            raise OSError(16, "Device or resource busy")
        real(source, target)

    with monkeypatch.context() as failing:
        failing.setattr(os, "rename", rename)
        with pytest.raises(NotConfirmed, match="sealed with the new key, which opens it but still lies beside"):
            filled.sealed_file().rotate()
    assert read(sealed_keyring_at(tmp_path)) == SECRETS
    sealed_keyring_at(tmp_path).sealed_file().rotate()
    assert read(sealed_keyring_at(tmp_path)) == SECRETS


def test_a_credential_is_rotated_into_a_file(filled: sealed.Keyring, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    (tmp_path / "key").rename(folder / "mailpolicy.key")
    given = sealed.located(str(tmp_path / "secrets"), keys.Sources(str(folder)))
    with pytest.raises(Refused, match="--new-key-file"):
        given.rotate()
    new = tmp_path / "new-key"
    given.rotate(str(new))
    assert given.several(SERVICE, SECRETS) == SECRETS  # this process has it
    with pytest.raises(KeyringError, match="sealed with the key"):
        sealed.located(str(tmp_path / "secrets"), keys.Sources(str(folder))).several(SERVICE, SECRETS)
    reader = sealed.located(str(tmp_path / "secrets"), keys.Sources(key_file=str(new)))
    assert reader.several(SERVICE, SECRETS) == SECRETS
    assert reader.rotate(str(new))[:2] == (Key(new.read_bytes()).id,) * 2  # twice is once


def test_a_reader_beside_rotations(filled: sealed.Keyring, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    rotating = fork.Process(target=lambda: [filled.sealed_file().rotate() for _ in range(25)])
    rotating.start()
    reads = 0
    while rotating.is_alive():
        assert read(sealed_keyring_at(tmp_path)) == SECRETS
        reads += 1
    rotating.join()
    assert rotating.exitcode == 0
    assert reads > 0
