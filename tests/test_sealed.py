"""The sealed file: keyring's own tests, any change of a file noticed, writers that lose nothing, keys and their rotation."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import keyring.core
import keyring.errors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from keyring import backend
from keyring.backends import fail
from keyring.testing.backend import BackendBasicTests

from mailpolicy import sealed
from mailpolicy.errors import KeyringError, Refused, StillLocked
from mailpolicy.sealed.file import SecretsFile
from mailpolicy.sealed.format import Header, Key, Secrets, header, seal, unseal
from mailpolicy.sealed.key_source import Sources
from mailpolicy.system import held
from mailpolicy.system.keyrings import choice
from tests.helpers import Run
from tests.sealing import options, sealed_file

SERVICE, ALICE, BOB = "mailpolicy", "smart-host/alice@example.com", "smart-host/bob@example.com"
SECRETS = {ALICE: "s3cret-of-alice", BOB: "s3cret of bob\nwith a line", "smart-host/@server": "x" * 65536}
KEY = Key(b"k" * 32)


def door(folder: Path) -> sealed.Keyring:
    """The sealed file in this folder as another program uses it."""
    sealed_file(folder)
    used = sealed.Keyring()
    used.secrets_file, used.key_file = str(folder / "secrets"), str(folder / "key")
    return used


@pytest.fixture
def filled(tmp_path: Path) -> SecretsFile:
    """A sealed file with three secrets."""
    file = sealed_file(tmp_path)
    file.change(SERVICE, SECRETS)
    return file


def read(folder: Path) -> dict[str, str]:
    """What a new process gets, with its user names."""
    return sealed_file(folder).everything().get(SERVICE, {})


def refusal(folder: Path) -> KeyringError:
    """Why a new process gets nothing."""
    with pytest.raises(KeyringError) as caught:
        sealed_file(folder).several(SERVICE, [ALICE])
    assert caught.value.exit_status == 6
    assert not any(secret in str(caught.value) for secret in SECRETS.values())
    return caught.value


# The door for other programs


class TestBackend(BackendBasicTests):
    """The tests that keyring has for its own backends."""

    def init_keyring(self) -> sealed.Keyring:
        self._held = tempfile.TemporaryDirectory()
        return door(Path(self._held.name))

    def cleanup(self) -> None:
        super().cleanup()
        self._held.cleanup()


def test_it_is_never_chosen_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sealed.Keyring in backend.KeyringBackend._classes
    for others in ([fail.Keyring()], []):
        monkeypatch.setattr(backend, "get_all_keyring", lambda others=others: [*others, sealed.Keyring()])
        for limit in (None, keyring.core.recommended):
            chosen = keyring.core._detect_backend(limit)
            assert (type(chosen) is sealed.Keyring) is (not others and limit is None)
    assert sealed.Keyring.priority < fail.Keyring.priority
    assert keyring.core._load_keyring_class("mailpolicy.sealed.Keyring") is sealed.Keyring
    assert choice.class_name(sealed.Keyring()) == choice.SEALED


def test_another_program_names_it(filled: SecretsFile, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "KEYRING_PROPERTY_SECRETS_FILE": str(tmp_path / "secrets"),
        "KEYRING_PROPERTY_KEY_FILE": str(tmp_path / "key"),
        "KEYRING_PROPERTY_GET_PASSWORD": "no property, as this is a method",
    }
    command = [sys.executable, "-m", "keyring", "-b", "mailpolicy.sealed.Keyring", "get", SERVICE, ALICE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == SECRETS[ALICE]


def test_what_goes_wrong_is_keyrings_own_error(filled: SecretsFile, tmp_path: Path) -> None:
    used = door(tmp_path)
    with pytest.raises(keyring.errors.PasswordDeleteError, match="no such secret"):
        used.delete_password(SERVICE, "nobody")
    lost = used.with_properties(secrets_file=str(tmp_path / "other"))
    failures: tuple[tuple[type[Exception], Callable[[], object]], ...] = (
        (keyring.errors.KeyringError, lambda: lost.get_password(SERVICE, ALICE)),
        (keyring.errors.PasswordSetError, lambda: lost.set_password(SERVICE, ALICE, "new")),
        (keyring.errors.PasswordDeleteError, lambda: lost.delete_password(SERVICE, ALICE)),
    )
    for kind, action in failures:
        with pytest.raises(kind, match="there is no file of sealed secrets") as caught:
            action()
        assert isinstance(caught.value.__cause__, KeyringError)


# Our own commands

STORE = """\
version = 1

[server]
edition = "pro"
multipop = true

[server.smart_host]
host = "smtp.example.net"
login = "relay"
per_account_auth = true

[accounts."alice@example.com"]
multipop = true
smart_host_login = "alice"

[accounts."alice@example.com".sources.provider]
host = "pop.example.net"
login = "alice"
"""
COMMANDS = [
    ("smart-host", "set", "alice@example.com", "--password-file", "given"),
    ("smart-host", "set", "--server", "--password-file", "given"),
    ("multipop", "source", "set-password", "alice@example.com", "provider", "--password-file", "given"),
    ("multipop", "source", "print-password", "alice@example.com", "provider"),
    ("smart-host", "show", "alice@example.com"),
    ("secrets", "list"),
    ("secrets", "verify"),
    ("secrets", "rotate"),
    ("secrets", "rebind"),
    ("validate", "--secrets"),
    ("export", "postfix-sasl-passwd", "--output", "made"),
    ("account", "rename", "alice@example.com", "carol@example.com"),
    ("multipop", "source", "remove", "carol@example.com", "provider"),
    ("account", "remove", "carol@example.com"),
    ("smart-host", "clear", "--server"),
    ("doctor",),
]


def test_no_command_imports_keyring(tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(STORE)
    (tmp_path / "given").write_text("s3cret")
    use = ["--file", "accounts.toml", *options(tmp_path)]
    whole = [("secrets", "init", "--secrets-file", str(tmp_path / "secrets"), "--key-file", str(tmp_path / "key"))]
    code = (
        "import sys; from mailpolicy.cli import main; status = main(sys.argv[1:]);"
        "sys.exit(status or 99 * any(name.partition('.')[0] == 'keyring' for name in sys.modules))"
    )
    for command in whole + COMMANDS:
        done = subprocess.run(
            [sys.executable, "-c", code, *command, *use], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, (command, done)
    assert read(tmp_path) == {}


# The format

TEXT = st.text(max_size=20)
ANY = st.dictionaries(TEXT, st.dictionaries(TEXT, st.text(max_size=40), max_size=8), max_size=3)


def opened(content: bytes, key: Key = KEY) -> Secrets:
    if header("FILE", content).key_id != key.id:
        raise KeyringError("no key is found")
    return unseal("FILE", key, content)


@given(ANY, st.integers(0, 10**18 - 1))
def test_any_names_and_any_secrets(secrets: Secrets, writes: int) -> None:
    content = seal("FILE", KEY, writes, secrets)
    assert opened(content) == secrets
    assert header("FILE", content) == (KEY.id, writes)


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
    with pytest.raises(KeyringError, match="damaged, cut off or changed"):
        opened(SMALL.replace(KEY.id.encode(), other.id.encode()), other)
    with pytest.raises(KeyringError, match="a newer mailpolicy wrote this file") as caught:
        opened(SMALL.replace(b"mailpolicy-secrets 1", b"mailpolicy-secrets 2"))
    assert caught.value.code == "newer-secrets"


# Damage on the disk, as commands tell it

DAMAGE = {
    "empty": lambda content: b"",
    "cut in line 1": lambda content: content[:30],
    "cut behind line 1": lambda content: content[: content.index(b"\n") + 5],
    "the last byte cut": lambda content: content[:-1],
    "a byte behind the end": lambda content: content + b"\n",
    "the format word": lambda content: b"M" + content[1:],
    "the version": lambda content: content.replace(b"secrets 1", b"secrets 2", 1),
    "the key id": lambda content: content.replace(content.split()[2], b"0" * 16, 1),
    "the count of writes": lambda content: content.replace(b" 1\n", b" 0\n", 1),
    "a bit": lambda content: content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
    "another file": lambda content: b"[server]\n" * 1000,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_told_in_one_sentence_and_never_sealed_again(
    run: Run, filled: SecretsFile, tmp_path: Path, damage: str
) -> None:
    (tmp_path / "accounts.toml").write_text(STORE)
    (tmp_path / "given").write_text("new")
    path = tmp_path / "secrets"
    content = DAMAGE[damage](path.read_bytes())
    path.write_bytes(content)
    for command in (COMMANDS[0], ("secrets", "list"), ("secrets", "rotate"), ("secrets", "init")):
        result = run(*command, "--file", "accounts.toml", *options(tmp_path))
        assert (result.status, result.out, result.err.count("\n")) == (6, "", 1), result
        assert result.err.startswith(f"mailpolicy: {path}: ")
        assert path.read_bytes() == content
    assert sorted(file.name for file in tmp_path.glob("[ks]e*")) == ["key", "secrets", "secrets.lock"]


def test_a_whole_older_file_is_not_recognised(filled: SecretsFile, tmp_path: Path) -> None:
    """As docs/secrets.md says; the count of writes shows it to whoever knows it."""
    old = (tmp_path / "secrets").read_bytes()
    filled.change(SERVICE, {ALICE: "the new one"})
    assert filled.facts().writes == 2
    (tmp_path / "secrets").write_bytes(old)
    assert read(tmp_path) == SECRETS
    assert filled.facts().writes == 1


def test_what_is_too_large_is_not_read(filled: SecretsFile, tmp_path: Path) -> None:
    for name in ("secrets", "key"):
        (tmp_path / name).unlink()
        with open(tmp_path / name, "wb") as file:
            file.truncate(1 << 40)
        (tmp_path / name).chmod(0o400)
        assert "so many bytes" in refusal(tmp_path).message or "it is too large" in refusal(tmp_path).message
        (tmp_path / name).unlink()
        file_of_its_own = {"secrets": seal("", KEY, 0, {}), "key": b"k" * 32}[name]
        (tmp_path / name).write_bytes(file_of_its_own)


# Writing


class Changes(RuleBasedStateMachine):
    """Whatever is done to a sealed file, it is a dictionary on the disk."""

    users = st.sampled_from([f"user{number}" for number in range(6)])
    services = st.sampled_from([SERVICE, "another program"])

    def __init__(self) -> None:
        super().__init__()
        self._held = tempfile.TemporaryDirectory()
        self.folder = Path(self._held.name)
        self.file = sealed_file(self.folder)
        self.model: Secrets = {}
        self.writes = 0

    @rule(service=services, changes=st.dictionaries(users, st.none() | st.text(max_size=30)))
    def change(self, service: str, changes: dict[str, str | None]) -> None:
        kept = self.model.setdefault(service, {})
        before = {user: kept[user] for user in changes if user in kept}
        assert self.file.change(service, changes) == before
        after = {user: secret for user, secret in {**kept, **changes}.items() if secret is not None}
        self.writes += after != kept
        self.model[service] = after

    @rule()
    def rotate(self) -> None:
        old, new, count = self.file.rotate()
        assert old != new == self.file.facts().key_id
        assert count == sum(map(len, self.model.values()))
        self.writes += 1

    @rule()
    def open_again(self) -> None:
        self.file = sealed_file(self.folder)

    @invariant()
    def holds_the_same(self) -> None:
        for service, kept in self.model.items():
            assert self.file.several(service, [*kept, "nobody"]) == kept
        assert sum(map(len, self.file.everything().values())) == sum(map(len, self.model.values()))
        assert self.file.facts().writes == self.writes

    def teardown(self) -> None:
        assert sorted(path.name for path in self.folder.iterdir() if path.name != "secrets.lock") == ["key", "secrets"]
        self._held.cleanup()


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)


def test_what_was_replaced_or_removed_is_gone(filled: SecretsFile, tmp_path: Path) -> None:
    """Also for whoever has the key: the file holds what is valid, whole, and nothing else."""
    filled.change(SERVICE, {ALICE: "new", BOB: None})
    content, key = (tmp_path / "secrets").read_bytes(), Key((tmp_path / "key").read_bytes())
    same = seal("", key, 2, {SERVICE: {ALICE: "new", "smart-host/@server": SECRETS["smart-host/@server"]}})
    assert len(content) == len(same)
    assert opened(content, key) == opened(same, key)


def test_nothing_new_is_not_written(filled: SecretsFile, tmp_path: Path) -> None:
    before = (tmp_path / "secrets").stat()
    filled.change(SERVICE, {ALICE: SECRETS[ALICE], "nobody": None})
    after = (tmp_path / "secrets").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert stat.S_IMODE(after.st_mode) == 0o600


def test_a_hard_link_is_a_copy_that_stays(filled: SecretsFile, tmp_path: Path) -> None:
    os.link(tmp_path / "secrets", tmp_path / "copy")
    before = (tmp_path / "copy").read_bytes()
    filled.change(SERVICE, {ALICE: "new"})
    assert (tmp_path / "copy").read_bytes() == before
    assert read(tmp_path) == {**SECRETS, ALICE: "new"}


def _write_many(folder: Path, first: int) -> None:
    file = sealed_file(folder)
    for number in range(first, first + 15):
        file.change(SERVICE, {f"user{number}": f"secret{number}"})


def test_two_writers_lose_nothing_and_readers_wait_for_nobody(filled: SecretsFile, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_write_many, args=(tmp_path, first)) for first in (0, 15, 30)]
    writers.append(fork.Process(target=lambda: [sealed_file(tmp_path).rotate() for _ in range(15)]))
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        assert SECRETS.items() <= read(tmp_path).items()
        reads += 1
    assert reads > 0
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert read(tmp_path) == {**SECRETS, **{f"user{number}": f"secret{number}" for number in range(45)}}


def test_a_held_lock(filled: SecretsFile, tmp_path: Path) -> None:
    with held.locked(str(tmp_path / "secrets"), 0):
        assert read(tmp_path) == SECRETS  # readers take none
        with pytest.raises(StillLocked):
            sealed_file(tmp_path, 0.05).change(SERVICE, {ALICE: "new"})


def test_a_killed_writer_leaves_the_old_or_the_new(filled: SecretsFile, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    for step in range(8):
        writer = fork.Process(target=lambda: [filled.change(SERVICE, {ALICE: str(n)}) for n in range(999)])
        writer.start()
        time.sleep(0.005 * (step + 1))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        assert read(tmp_path)[BOB] == SECRETS[BOB]
    filled.change(SERVICE, {ALICE: "last"})
    assert not [path for path in tmp_path.iterdir() if ".new-" in path.name]


# Keys


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
        filled.make()


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
    with pytest.raises(KeyringError, match=r"bring .* back from a backup"):
        sealed_file(tmp_path).make()
    assert not (tmp_path / "key").exists()


def test_a_lost_file_is_not_made_by_a_set(filled: SecretsFile, tmp_path: Path) -> None:
    (tmp_path / "secrets").unlink()
    for action in (lambda: filled.change(SERVICE, {ALICE: "new"}), filled.everything, filled.rotate):
        with pytest.raises(KeyringError) as caught:
            action()
        assert caught.value.code == "no-secrets-file"
    assert not (tmp_path / "secrets").exists()


def located(folder: Path, sources: Sources) -> SecretsFile:
    return SecretsFile.located(str(folder / "secrets"), sources)


def test_the_first_key_that_is_configured(filled: SecretsFile, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    sources = Sources(str(folder), str(tmp_path / "key"))
    assert located(tmp_path, sources).several(SERVICE, SECRETS) == SECRETS  # no mailpolicy.key in it
    credential = folder / "mailpolicy.key"
    credential.write_bytes((tmp_path / "key").read_bytes())
    (tmp_path / "key").unlink()
    credential.chmod(0o444)
    folder.chmod(0o755)
    with pytest.raises(KeyringError, match="can be read by others"):
        located(tmp_path, sources).several(SERVICE, SECRETS)
    folder.chmod(0o500)  # as systemd makes it
    assert located(tmp_path, sources).several(SERVICE, SECRETS) == SECRETS
    public = tmp_path / "public"
    public.mkdir(mode=0o755)
    folder.chmod(0o700)
    credential.rename(public / "key")
    (public / "key").chmod(0o444)
    credential.symlink_to(public / "key")  # a container's runtime makes links; what they lead to counts
    with pytest.raises(KeyringError, match="can be read by others"):
        located(tmp_path, sources).several(SERVICE, SECRETS)
    credential.unlink()
    (public / "key").rename(credential)
    credential.chmod(0o440)  # with an ACL for the service's user the group's bits are its mask
    assert located(tmp_path, sources).several(SERVICE, SECRETS) == SECRETS


class Silent:
    """A desktop keyring that waits for somebody."""

    def get_password(self, service: str, user: str) -> str:
        threading.Event().wait(20)
        return ""


def test_a_silent_desktop_keyring_makes_nobody_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "wallet", lambda is_root: Silent())
    sealed_file(tmp_path)
    file = located(tmp_path, Sources(deadline=0.05))
    for action in (file.rotate, file.make, file.facts, lambda: file.change(SERVICE, {ALICE: "new"})):
        with held.locked(str(tmp_path / "secrets"), 0), pytest.raises(KeyringError, match="did not answer within"):
            action()  # before it would wait for the lock


# Rotation


def test_rotation(filled: SecretsFile, tmp_path: Path) -> None:
    filled.change("another service", {"user": "theirs"})
    before = filled.facts()
    old, new, count = filled.rotate()
    assert (old, count) == (before.key_id, 4)
    assert new == Key((tmp_path / "key").read_bytes()).id != old
    assert filled.facts() == Header(new, before.writes + 1)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o400
    assert sealed_file(tmp_path).everything() == {SERVICE: SECRETS, "another service": {"user": "theirs"}}
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
    assert sealed_file(tmp_path).half_rotated()
    sealed_file(tmp_path).change(SERVICE, {ALICE: "new"})
    sealed_file(tmp_path).rotate()
    assert read(tmp_path) == {**SECRETS, ALICE: "new"}
    assert not sealed_file(tmp_path).half_rotated()
    assert not (tmp_path / "key.next").exists()


def test_a_next_key_that_nothing_is_sealed_with(filled: SecretsFile, tmp_path: Path) -> None:
    """A rotation that stopped before the file was replaced."""
    (tmp_path / "key.next").write_bytes(b"n" * 32)
    (tmp_path / "key.next").chmod(0o400)
    for name in (".key.next.new-0123456789abcdef", ".key.new-0123456789abcdef"):
        (tmp_path / name).write_bytes(b"k" * 32)
    assert read(tmp_path) == SECRETS
    assert not sealed_file(tmp_path).half_rotated()
    assert filled.rotate()[1] != Key(b"n" * 32).id
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "secrets", "secrets.lock"]


def test_a_credential_is_rotated_into_a_file(filled: SecretsFile, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    (tmp_path / "key").rename(folder / "mailpolicy.key")
    given = located(tmp_path, Sources(str(folder)))
    with pytest.raises(Refused, match="--new-key-file"):
        given.rotate()
    new = tmp_path / "new-key"
    given.rotate(str(new))
    assert given.several(SERVICE, SECRETS) == SECRETS  # this process has it
    with pytest.raises(KeyringError, match="sealed with the key"):
        located(tmp_path, Sources(str(folder))).several(SERVICE, SECRETS)
    reader = located(tmp_path, Sources(key_file=str(new)))
    assert reader.several(SERVICE, SECRETS) == SECRETS
    with pytest.raises(Refused, match="the key that is in use"):  # which would rotate nothing
        reader.rotate(str(new))
