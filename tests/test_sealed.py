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
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO, FileIO
from pathlib import Path

import keyring.core
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keyring import backend
from keyring.backends import fail
from keyring.errors import PasswordDeleteError, PasswordSetError
from keyring.testing.backend import BackendBasicTests
from sealing import sealed_keyring

from mailpolicy import backends, sealed
from mailpolicy.errors import KeyringError, MailpolicyError, NotConfirmed, Refused, StillLocked, WriteFailed
from mailpolicy.sealed import content, front, keys
from mailpolicy.sealed.block import Entries, Name, fields_of, packed, shown, taken_apart
from mailpolicy.sealed.cipher import Key, Unsound
from mailpolicy.sealed.fault import fault
from mailpolicy.system import held

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


def test_properties_stand_before_no_method_and_choose_the_file(
    filled: sealed.Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYRING_PROPERTY_SEALED_FILE", "/x")
    monkeypatch.setenv("KEYRING_PROPERTY_KEY_FILE", str(tmp_path / "key"))
    used = sealed.Keyring().with_properties(secrets_file=str(tmp_path / "secrets"))
    assert used.get_password(SERVICE, ALICE) == SECRETS[ALICE]
    with pytest.raises(keyring_error(), match="there is no file"):
        used.with_properties(secrets_file=str(tmp_path / "other")).get_password(SERVICE, ALICE)


# Any text


def opened(data: bytes, key: Key) -> content.Opened:
    file = BytesIO(data)
    return content.Opened(file, key, front.header(file.read(front.HEADER_SIZE)))


def after(data: bytes, key: Key, service: str, secrets: dict[str, str | None]) -> bytes:
    """The bytes of a file after a change; what a killed writer left behind it never matters."""
    file = opened(data + b"left over", key)
    try:
        change = content.changed(file, service, secrets)
    except content.Unchanged:
        return data
    if (more := content.appended(file, change)) is None:
        return b"".join(content.made_anew(file, change))
    first, tail = more
    return bytes(first) + data[front.HEADER_SIZE : file.header.end] + tail


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=30), max_size=30), st.text(max_size=8))
def test_any_names_and_any_secrets(secrets: dict[str, str], service: str) -> None:
    key = Key(bytes(32))
    data = b"".join(content.empty(key))
    half = dict(list(secrets.items())[::2])
    for changes in (half, secrets):
        data = after(data, key, service, changes)
    assert content.several(opened(data, key), service, secrets) == secrets
    assert content.everything(opened(data, key)) == {Name(service, user): secret for user, secret in secrets.items()}
    removed = after(data, key, service, dict.fromkeys(half))
    left = {user: secret for user, secret in secrets.items() if user not in half}
    assert content.several(opened(removed, key), service, secrets) == left


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few secrets are as many blocks as ten thousand are, and changed as they are."""
    monkeypatch.setattr(content, "_ENTRIES", 8)
    monkeypatch.setattr(content, "_SMALL", 100)


@pytest.mark.usefixtures("small_blocks")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(1, 7), st.sampled_from(["", "a", "b" * 300, None])), max_size=40
    ),
    st.lists(st.integers(0, 70)),
)
def test_any_changes_are_those_of_a_dict(steps: list[tuple[int, int, str | None]], asked: list[int]) -> None:
    key, model = Key(b"k" * 32), {f"user{number}": "x" * 40 for number in range(0, 60, 2)}
    data = after(b"".join(content.empty(key)), key, SERVICE, dict(model))
    for count, (number, step, secret) in enumerate(steps, 2):
        changes = {f"user{user}": secret for user in range(number, number + 15, step)}
        before = {user: model[user] for user in changes if user in model}
        with suppress(content.Unchanged):
            change = content.changed(opened(data, key), SERVICE, changes)
            assert change.before == before
            data = after(data, key, SERVICE, changes)
        for user in changes:
            model.pop(user, None)
            if secret is not None:
                model[user] = secret
        assert {name.user: value for name, value in content.everything(opened(data, key)).items()} == model
        assert content.sound(opened(data, key)).writes <= count
    users = [f"user{number}" for number in asked]
    assert content.several(opened(data, key), SERVICE, users) == {user: model[user] for user in users if user in model}


@pytest.mark.usefixtures("small_blocks")
def test_a_large_file_is_changed_at_its_end_and_made_anew_when_half_is_dead() -> None:
    key, users = Key(b"k" * 32), [f"user{number}" for number in range(60)]
    data = after(b"".join(content.empty(key)), key, SERVICE, dict.fromkeys(users, "s3cret" * 9))
    kinds, live = "", len(data)
    for number in range(60):
        new = after(data, key, SERVICE, {users[number]: f"new {number}"})
        at_the_end = new[front.HEADER_SIZE : len(data)] == data[front.HEADER_SIZE :]
        kinds += "e" if at_the_end else "n"
        assert len(new) < 3 * live
        data = new
    assert "ee" in kinds
    assert "n" in kinds
    assert kinds.count("e") > kinds.count("n")


@pytest.mark.usefixtures("small_blocks")
def test_a_removed_secret_leaves_a_large_file_at_once() -> None:
    key, users = Key(b"k" * 32), [f"user{number}" for number in range(60)]
    data = after(b"".join(content.empty(key)), key, SERVICE, dict.fromkeys(users, "s3cret" * 9))
    assert any(not block.first for block in opened(after(data, key, SERVICE, {users[0]: "new"}), key).index)
    removed = after(data, key, SERVICE, {users[0]: None})
    assert len(removed) < len(data)
    assert all(block.first for block in opened(removed, key).index)


def test_text_that_is_none(filled: sealed.Keyring) -> None:
    with pytest.raises(PasswordSetError, match="is not Unicode text") as caught:
        filled.set_password(SERVICE, ALICE, "s3cret\udcff")
    assert "s3cret" not in str(caught.value)
    assert read(filled) == SECRETS


def test_equal_secrets_look_different(filled: sealed.Keyring, tmp_path: Path) -> None:
    filled.set_passwords(SERVICE, {f"u{number}": "the same" for number in range(50)})
    data = (tmp_path / "secrets").read_bytes()
    file = opened(data, Key((tmp_path / "key").read_bytes()))
    blobs = [blob for number in file.live for blob in taken_apart(file.block(number), file.index[number].names).blobs()]
    assert len(set(blobs)) == 50 + len(SECRETS)
    assert b"the same" not in data


# Damage


def parts(data: bytes, key: Key) -> list[tuple[int, str]]:
    """Where each part of a file ends, and what a message about it says."""
    file, found = opened(data, key), [(front.HEADER_SIZE, "line 1 ")]
    for block in file.index:
        start = found[-1][0]
        if not block.first:
            found.append((start + block.size, "a dead block "))
            continue
        found.append((start + block.names, f"the block from {shown(block.first)} on "))
        entries = taken_apart(data[start : start + block.size], block.names)
        for field, size in zip(entries.fields, entries.sizes, strict=True):
            found.append((found[-1][0] + size, f"the secret {shown(field)} was changed"))
    for number, block in enumerate(file.index, 1):
        found.append((found[-1][0] + len(bytes(block)), f"line {number} of its index"))
    assert found[-1][0] == len(data)
    return found


@pytest.mark.usefixtures("small_blocks")
def test_each_bit_flip_is_noticed_and_named() -> None:
    key = Key(b"k" * 32)
    whole = after(b"".join(content.empty(key)), key, SERVICE, {f"user{number}": "one" for number in range(40)})
    whole = after(whole, key, SERVICE, {"user1": "two"})
    assert sum(not block.first for block in opened(whole, key).index) == 2
    ends = parts(whole, key)
    for position in range(len(whole)):
        says = next(says for end, says in ends if position < end)
        for bit in range(8):
            data = bytearray(whole)
            data[position] ^= 1 << bit
            with pytest.raises(Unsound):
                content.everything(opened(bytes(data), key))
            message = fault(bytes(data), key).message
            # Where the names can no longer be read right, every secret after them is in the wrong place.
            assert says in message or (says.startswith("the block") and "the secret " in message), (position, message)


@pytest.mark.parametrize("cut", [0, 1, 30, 136, 137, 138, 300, -2, -1])
def test_a_truncated_file(filled: sealed.Keyring, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "secrets"
    path.write_bytes(path.read_bytes()[:cut])
    error = refusal(sealed_keyring_at(tmp_path))
    assert (error.exit_status, error.code) == (6, "damaged-secrets")
    assert str(path) in str(error)
    assert "cut off" in error.message
    with pytest.raises(PasswordSetError):
        filled.set_password(SERVICE, ALICE, "new")


def sealed_keyring_at(folder: Path) -> sealed.Keyring:
    """As another process would open it."""
    return sealed.Keyring(sealed.located(str(folder / "secrets"), keys.Sources(key_file=str(folder / "key"))))


Table = list[tuple[bytes, bytes]]


def tampered(path: Path, key: Key, change: Callable[[Table], None]) -> None:
    """Change the one block of a file as somebody would who has no key: all is right but the seals."""
    data = path.read_bytes()
    file = opened(data, key)
    (block,) = file.index
    entries = taken_apart(file.block(0), block.names)
    table = list(zip(entries.fields, entries.blobs(), strict=True))
    change(table)
    blobs = [blob for _, blob in table]
    names, body = packed(Entries([field for field, _ in table], list(map(len, blobs)), b"".join(blobs)))
    line = bytes(block._replace(first=table[0][0], names=names, size=len(body)))
    first = file.header._replace(at=front.HEADER_SIZE + len(body), size=len(line))
    path.write_bytes(bytes(first) + body + line)


def swap(table: Table) -> None:
    """The sealed parts of two entries, under each other's names."""
    (one, first), (two, second) = table[:2]
    table[:2] = [(one, second), (two, first)]


def move(table: Table) -> None:
    table[0], table[1] = table[1], table[0]


def remove(table: Table) -> None:
    del table[1]


def double(table: Table) -> None:
    table.insert(1, table[0])


def remove_the_last(table: Table) -> None:
    table.pop()


@pytest.mark.parametrize("change", [swap, move, remove, double, remove_the_last], ids=lambda change: change.__name__)
def test_entries_that_were_moved_about(filled: sealed.Keyring, tmp_path: Path, change: Callable[[Table], None]) -> None:
    tampered(tmp_path / "secrets", Key((tmp_path / "key").read_bytes()), change)
    before = (tmp_path / "secrets").read_bytes()
    error = refusal(sealed_keyring_at(tmp_path))
    assert error.code == "damaged-secrets"
    says = "the secret smart-host/@server was changed" if change is swap else "line 1 of its index"
    assert error.message.endswith(says) or f"{says} (" in error.message
    with pytest.raises(PasswordSetError):
        filled.set_password(SERVICE, "another", "new")
    assert (tmp_path / "secrets").read_bytes() == before  # what is damaged is not sealed again


def test_one_entry_brought_back_from_an_older_file(filled: sealed.Keyring, tmp_path: Path) -> None:
    path, key = tmp_path / "secrets", Key((tmp_path / "key").read_bytes())
    file = opened(path.read_bytes(), key)
    old = taken_apart(file.block(0), file.index[0].names).get(fields_of(SERVICE, [ALICE])[0][0])
    filled.set_password(SERVICE, ALICE, "x" * len(SECRETS[ALICE]))
    data = path.read_bytes()
    file = opened(data, key)
    new = taken_apart(file.block(0), file.index[0].names).get(fields_of(SERVICE, [ALICE])[0][0])
    path.write_bytes(data.replace(new or b"", old or b""))
    assert "brought back from an older file" in refusal(filled).message


@pytest.mark.usefixtures("small_blocks")
def test_a_block_brought_back_with_its_seal() -> None:
    """What is replaced still lies in the file, dead; nobody without the key can make it count again."""
    key = Key(b"k" * 32)
    whole = after(b"".join(content.empty(key)), key, SERVICE, {f"user{number}": "one" for number in range(40)})
    data = after(whole, key, SERVICE, {"user1": "two"})
    file, lines = opened(data, key), list(opened(whole, key).index)
    dead = [number for number, block in enumerate(file.index) if not block.first]
    back = [lines[number] if number in dead[:1] else block for number, block in enumerate(file.index[:-1])]
    back.append(file.index[-1]._replace(first=b"", names=0))
    index = b"".join(map(bytes, back))
    forged = bytes(file.header._replace(size=len(index))) + data[front.HEADER_SIZE : file.header.at] + index
    with pytest.raises(Unsound):
        opened(forged, key)
    assert "line 1 was changed" in fault(forged, key).message
    rolled_back = whole[: front.HEADER_SIZE] + data[front.HEADER_SIZE :]
    assert content.several(opened(rolled_back, key), SERVICE, ["user1"]) == {"user1": "one"}  # a whole older file


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


def test_what_is_no_file_of_secrets_is_not_read_whole(tmp_path: Path) -> None:
    keyring = sealed_keyring(tmp_path)
    path = tmp_path / "secrets"
    first = path.read_bytes().split()
    path.unlink()
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    assert "this is no file of sealed secrets" in refusal(keyring).message
    with open(path, "r+b") as file:
        file.write(b" ".join([*first[:4], b"0" * 12 + b"137", b"%012d" % (1 << 39), first[6]]) + b"\n")
    assert "it says that the file is longer" in refusal(keyring).message
    (tmp_path / "key").unlink()
    with open(tmp_path / "key", "wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "key").chmod(0o400)
    assert "not so many bytes" in refusal(sealed_keyring_at(tmp_path)).message


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
    assert error.fix == ("chmod", "0400", str(tmp_path / "key"))
    with pytest.raises(KeyringError):
        sealed_keyring(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_key_file_of_somebody_else(filled: sealed.Keyring, tmp_path: Path) -> None:
    os.chown(tmp_path / "key", 65534, -1)
    assert "can be changed by users other than root" in refusal(sealed_keyring_at(tmp_path)).message


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
    public = tmp_path / "public"
    public.mkdir(mode=0o755)
    folder.chmod(0o700)
    credential.rename(public / "key")
    (public / "key").chmod(0o444)
    credential.symlink_to(public / "key")  # a container's runtime makes links; what they lead to counts
    with pytest.raises(KeyringError, match="can be read by others"):
        sealed.located(path, sources).several(SERVICE, SECRETS)
    credential.unlink()
    (public / "key").rename(credential)
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
    with held.locked(str(tmp_path / "secrets"), 0):
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


LARGE = {f"user{number}": "x" * 200 for number in range(600)}


def test_a_disk_that_does_not_confirm(filled: sealed.Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put at the end of a large file counts, or not, as the error says."""
    filled.set_passwords(SERVICE, LARGE)
    before, real = (tmp_path / "secrets").read_bytes(), os.fsync
    for good, kind, secret in ((0, WriteFailed, SECRETS[ALICE]), (1, NotConfirmed, "new")):
        calls = iter([real] * good)

        def fsync(descriptor: int, calls: Iterator[Callable[[int], None]] = calls) -> None:
            next(calls, failing)(descriptor)

        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", fsync)
            with pytest.raises(PasswordSetError) as caught:
                filled.set_password(SERVICE, ALICE, "new")
        assert type(caught.value.__cause__) is kind
        assert ((tmp_path / "secrets").read_bytes() == before) is (kind is WriteFailed)
        assert sealed_keyring_at(tmp_path).get_password(SERVICE, ALICE) == secret


def failing(descriptor: int) -> None:
    raise OSError(5, "Input/output error")


def test_a_reader_beside_changes_of_a_large_file(filled: sealed.Keyring, tmp_path: Path) -> None:
    filled.set_passwords(SERVICE, LARGE)
    fork = multiprocessing.get_context("fork")
    writing = fork.Process(target=lambda: [filled.set_password(SERVICE, "changing", str(n)) for n in range(150)])
    writing.start()
    reads = 0
    while writing.is_alive():
        assert read(sealed_keyring_at(tmp_path)) == SECRETS
        reads += 1
    writing.join()
    assert writing.exitcode == 0
    assert reads > 0
    assert filled.get_password(SERVICE, "changing") == "149"


def test_what_a_killed_writer_left_is_nothing(filled: sealed.Keyring, tmp_path: Path) -> None:
    filled.set_passwords(SERVICE, LARGE)
    with open(tmp_path / "secrets", "ab") as file:
        file.write(b"half a block" * 20000)
    assert read(sealed_keyring_at(tmp_path)) == SECRETS
    filled.set_password(SERVICE, ALICE, "new")
    assert filled.get_password(SERVICE, ALICE) == "new"
    assert b"half a block" not in (tmp_path / "secrets").read_bytes()


def test_a_hard_link_is_a_copy_that_stays(filled: sealed.Keyring, tmp_path: Path) -> None:
    filled.set_passwords(SERVICE, LARGE)
    os.link(tmp_path / "secrets", tmp_path / "copy")
    before = (tmp_path / "copy").read_bytes()
    filled.set_password(SERVICE, ALICE, "new")
    assert (tmp_path / "copy").read_bytes() == before
    assert filled.get_password(SERVICE, ALICE) == "new"


def test_very_many_at_once(tmp_path: Path) -> None:
    """A block that takes all of them is not made anew for each."""
    made, changed = [], Entries.changed

    def counted(entries: Entries, changes: dict[bytes, bytes | None]) -> Entries:
        made.append(len(changes))
        return changed(entries, changes)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Entries, "changed", counted)
        keyring = sealed_keyring(tmp_path)
        keyring.set_passwords(SERVICE, LARGE)
    assert made.count(len(LARGE)) == len(made) <= 3
    assert keyring.get_passwords(SERVICE, LARGE) == LARGE


def test_a_large_file_that_is_damaged_elsewhere_is_not_changed(filled: sealed.Keyring, tmp_path: Path) -> None:
    filled.set_passwords(SERVICE, LARGE)
    before = (tmp_path / "secrets").read_bytes()
    for position in (200, len(before) // 2, int(before.split()[4]) - 1):
        damaged = before[:position] + bytes([before[position] ^ 1]) + before[position + 1 :]
        (tmp_path / "secrets").write_bytes(damaged)
        for user in (ALICE, "user599"):
            with pytest.raises(PasswordSetError, match="was changed"):
                filled.set_password(SERVICE, user, "new")
        assert (tmp_path / "secrets").read_bytes() == damaged


@pytest.mark.parametrize("others", [{}, LARGE], ids=["made anew", "at the end"])
def test_what_shares_a_block_is_proved_too(
    filled: sealed.Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: dict[str, str]
) -> None:
    """A change that would take a neighbour along is noticed before it counts."""
    filled.set_passwords(SERVICE, others)
    before, changed = (tmp_path / "secrets").read_bytes(), Entries.changed

    def takes_one_along(entries: Entries, changes: dict[bytes, bytes | None]) -> Entries:
        made = changed(entries, changes)
        spare = next(field for field in made.fields if field not in changes)
        return changed(made, {spare: None}) if any(changes.values()) else made

    monkeypatch.setattr(Entries, "changed", takes_one_along)
    with pytest.raises(PasswordSetError, match="what was read back differs"):
        filled.set_password(SERVICE, ALICE, "new")
    assert (tmp_path / "secrets").read_bytes() == before


def test_a_disk_that_keeps_something_else(
    filled: sealed.Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read back and is not what was written never counts."""
    filled.set_passwords(SERVICE, LARGE)
    before, write = (tmp_path / "secrets").read_bytes(), held._write_whole
    for position in (20, -300):

        def writes_wrong(file: FileIO, content: bytes, position: int = position) -> None:
            wrong = bytearray(content)
            wrong[position] ^= 1
            write(file, bytes(wrong))

        monkeypatch.setattr(held, "_write_whole", writes_wrong)
        with pytest.raises(PasswordSetError, match="what was read back differs"):
            filled.set_password(SERVICE, ALICE, "new")
        assert (tmp_path / "secrets").read_bytes() == before


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
    file = opened(old_file, Key(old_key))
    blobs = [blob for number in file.live for blob in taken_apart(file.block(number), file.index[number].names).blobs()]
    assert len(blobs) == 4
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

    def rename(source: str, target: str, **folders: int) -> None:
        if source.endswith("key.next"):
            raise OSError(16, "Device or resource busy")
        real(source, target, **folders)

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
    with pytest.raises(Refused, match="the key that is in use"):  # which would rotate nothing
        reader.rotate(str(new))


def test_a_rotation_where_only_the_next_key_is_there(filled: sealed.Keyring, tmp_path: Path) -> None:
    """Somebody lost the key after a rotation had stopped half-way; the disk is full as well. The one key stays."""
    (tmp_path / "key").rename(tmp_path / "key.next")
    before = (tmp_path / "key.next").read_bytes()
    again = sealed_keyring_at(tmp_path)
    assert again.sealed_file().half_rotated()
    assert _on_a_full_disk(again.sealed_file().rotate) == WriteFailed.__name__
    kept = [path.read_bytes() for path in tmp_path.glob("key*")]
    assert before in kept
    assert read(sealed_keyring_at(tmp_path)) == SECRETS
    sealed_keyring_at(tmp_path).sealed_file().rotate()
    assert read(sealed_keyring_at(tmp_path)) == SECRETS
    assert not (tmp_path / "key.next").exists()


def test_damage_in_the_midst_of_a_rotation_is_named(filled: sealed.Keyring, tmp_path: Path) -> None:
    rotation_killed_after(filled, "_install")
    content_, index_at = (tmp_path / "secrets").read_bytes(), int((tmp_path / "secrets").read_bytes().split()[4])
    (tmp_path / "secrets").write_bytes(
        content_[: index_at - 1] + bytes([content_[index_at - 1] ^ 1]) + content_[index_at:]
    )
    assert refusal(sealed_keyring_at(tmp_path)).message.endswith(f"the secret {BOB} was changed")


def test_a_killed_writer_of_a_key_leaves_none_behind(filled: sealed.Keyring, tmp_path: Path) -> None:
    for name in (".key.next.new-0123456789abcdef", ".key.new-0123456789abcdef"):
        (tmp_path / name).write_bytes(b"k" * 32)
    filled.sealed_file().rotate()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "secrets", "secrets.lock"]


class Silent:
    """A desktop keyring that waits for somebody."""

    def get_password(self, service: str, user: str) -> str:
        threading.Event().wait(20)
        return ""


def test_a_silent_desktop_keyring_makes_nobody_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "wallet", lambda is_root: Silent())
    sealed_keyring(tmp_path)
    file = sealed.located(str(tmp_path / "secrets"), keys.Sources(deadline=0.05))
    for action in (file.rotate, file.make, file.facts, lambda: file.change(SERVICE, {ALICE: "new"})):
        with held.locked(str(tmp_path / "secrets"), 0), pytest.raises(KeyringError, match="did not answer within"):
            action()  # before it would wait for the lock


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
