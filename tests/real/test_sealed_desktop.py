"""A real Secret Service beside the sealed file: many secrets in one search, the master key in it, secrets moved out of it."""

from __future__ import annotations

import pytest

from mailpolicy.secrets.credentials import Credentials, KeyringConfig
from tests.machine import ALICE, BOB, CAROL, FIRST, SECOND, user
from tests.real.desktop import Desktop
from tests.sealing import BACKEND

pytestmark = pytest.mark.real

CHAINER = "keyring.backends.chainer.ChainerBackend"
SECRET_SERVICE = "keyring.backends.SecretService.Keyring"


def test_many_in_one_search(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one question for each would answer, and no question for each."""
    from keyring.backends import SecretService

    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", desktop.bus)
    desktop.known = []  # these secrets are made up on the spot
    for number in range(12):
        desktop.keep(f"user{number}@example.com", f"of user {number}\nüñí")
    users = [user(f"user{number}@example.com") for number in range(3, 15)]
    keyring = Credentials(KeyringConfig(SECRET_SERVICE), pytest.fail)
    one_by_one = {name: secret for name in users if (secret := keyring.get(name)) is not None}
    searches: list[object] = []
    real = SecretService.Keyring.get_preferred_collection

    def counted(self: SecretService.Keyring) -> object:
        searches.append(self)
        return real(self)

    monkeypatch.setattr(SecretService.Keyring, "get_preferred_collection", counted)
    assert keyring.get_many(users) == one_by_one
    assert len(one_by_one) == 9
    assert len(searches) == 1
    assert keyring.get_many([]) == {}
    assert keyring.names() == sorted(user(f"user{number}@example.com") for number in range(12))


def test_move_to_the_sealed_file_and_back(desktop: Desktop) -> None:
    """With the master key in the desktop keyring."""
    desktop.give(ALICE)
    desktop.give(BOB, SECOND)
    desktop.keep(CAROL, "of nobody")
    desktop.host_config.unlink()
    secrets = str(desktop.folder / "secrets")
    made = desktop.run("secrets", "init", "--secrets-file", secrets, "--key-in-keyring")
    assert made.status == 0
    assert "key_file" not in desktop.host_config.read_text()
    moved = desktop.run("secrets", "move", "--from", SECRET_SERVICE, "--to", BACKEND)
    assert (moved.status, moved.out.count("\tmoved\tchanged\n"), moved.err) == (0, 2, "")
    assert set(desktop.secrets()) == {user(CAROL), "master-key"}
    assert desktop.run("secrets", "verify").status == 0
    old = desktop.secrets()["master-key"]
    assert desktop.run("secrets", "rotate").status == 0
    assert set(desktop.secrets()) == {user(CAROL), "master-key"}
    assert desktop.secrets()["master-key"] != old
    checks = desktop.run("doctor")
    assert (checks.status, "in the desktop keyring" in checks.out) == (0, True)
    assert old not in desktop.seen
    assert desktop.run("secrets", "move", "--from", BACKEND, "--to", SECRET_SERVICE).status == 0
    assert {name: secret for name, secret in desktop.secrets().items() if name != "master-key"} == {
        user(ALICE): FIRST,
        user(BOB): SECOND,
        user(CAROL): "of nobody",
    }


@pytest.mark.parametrize("names", [(CHAINER, SECRET_SERVICE), (SECRET_SERVICE, CHAINER)], ids=" ".join)
def test_no_move_within_one_keyring(desktop: Desktop, names: tuple[str, str]) -> None:
    desktop.give(ALICE)
    refused = desktop.run("secrets", "move", "--from", names[0], "--to", names[1])
    assert (refused.status, refused.out) == (5, "")
    assert desktop.secrets() == {user(ALICE): FIRST}


def test_a_locked_keyring_that_holds_the_key(desktop: Desktop) -> None:
    desktop.host_config.unlink()
    assert (
        desktop.run("secrets", "init", "--secrets-file", str(desktop.folder / "secrets"), "--key-in-keyring").status
        == 0
    )
    assert desktop.set(ALICE).status == 0
    desktop.lock()
    before = desktop.untouched()
    result = desktop.set(ALICE, SECOND, "--login", "new")
    assert (result.status, result.out) == (6, "")
    assert result.err == "mailpolicy: the keyring is locked: unlock it and try again\n"
    assert desktop.untouched() == before
