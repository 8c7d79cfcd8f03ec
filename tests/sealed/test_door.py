"""Check that the sealed file is a backend of keyring like any other."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import keyring.core
import keyring.errors
import pytest
from keyring import backend
from keyring.backends import fail
from keyring.testing.backend import BackendBasicTests

from mailpolicy import sealed
from mailpolicy.errors import KeyringError
from mailpolicy.sealed.file import SecretsFile
from mailpolicy.system.keyrings import choice
from tests.sealed.samples import ALICE, SECRETS, SERVICE
from tests.sealing import sealed_file


def door(folder: Path) -> sealed.Keyring:
    """The sealed file in this folder as another program uses it."""
    sealed_file(folder)
    used = sealed.Keyring()
    used.secrets_file, used.key_file = str(folder / "secrets"), str(folder / "key")
    return used


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
    assert choice.class_name(sealed.Keyring()) == choice.SEALED_BACKEND


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


def test_another_program_finds_host_toml_by_its_variable(filled: SecretsFile, tmp_path: Path) -> None:
    host = tmp_path / "host.toml"
    host.write_text(f'secrets_file = "{tmp_path}/secrets"\nkey_file = "{tmp_path}/key"\n')
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MAILPOLICY_HOST_CONFIG": str(host)}
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
        with pytest.raises(kind, match="the sealed file does not exist") as caught:
            action()
        assert isinstance(caught.value.__cause__, KeyringError)
