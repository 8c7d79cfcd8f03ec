"""Check what `secrets` does with the sealed file: set up, rotated, listed, verified."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from mailpolicy.system.held import locked
from tests.cli.commands.places import ALICE, LEFT, SERVER
from tests.helpers import RELAY, Result, Run
from tests.sealing import BACKEND, options, sealed_file

INIT = ("secrets", "init", "--host-config", "host.toml", "--secrets-file", "lib/secrets", "--key-file", "etc/key")


def test_init(run: Run, place: Path) -> None:
    assert run(*INIT, "--dry-run").out.count("would change") == 3
    assert not (place / "host.toml").exists()
    assert not (place / "lib").exists()
    made = run(*INIT)
    assert (made.status, made.out.count("\tchanged\n")) == (0, 3)
    assert "back up the master key" in made.err
    assert [stat.S_IMODE((place / name).stat().st_mode) for name in ("etc/key", "lib/secrets", "lib", "host.toml")] == [
        *(0o400, 0o600, 0o700, 0o644)
    ]
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    again = run(*INIT)
    assert (again.status, again.out.count("\tok\n"), again.err) == (0, 3, "")
    assert run("secrets", "init", "--host-config", "host.toml", "--json").out == (
        '{"schema": "mailpolicy.secrets-init/1", "changed": false, "dry_run": false, '
        f'"secrets_file": "{place}/lib/secrets", "key": "{place}/etc/key"}}\n'
    )
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_a_host_config_of_the_environment(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option comes before it; /dev/null is none, which is said."""
    sealed_file(place)
    monkeypatch.setenv("MAILPOLICY_HOST_CONFIG", options(place)[1])
    verified = run("secrets", "verify")
    assert (verified.status, "--host-config" in verified.err) == (1, False)
    assert run("secrets", "verify", "--host-config", "missing.toml").status == 3
    monkeypatch.setenv("MAILPOLICY_HOST_CONFIG", "/dev/null")
    edited = run("pop", "off", "alice@example.com")
    assert (edited.status, "running without host.toml" in edited.err) == (0, True)
    assert run("secrets", "init", "--secrets-file", "s", "--key-file", "k").status == 2
    assert not (place / "k").exists()


@pytest.mark.parametrize("text", ["", 'keyring_service = "x"\n', 'keyring_backend = "keyring.backends.null.Keyring"\n'])
def test_init_beside_a_host_config_that_says_otherwise(run: Run, place: Path, text: str) -> None:
    (place / "host.toml").write_text(text)
    refused = run(*INIT)
    assert (refused.status, refused.out) == (5, "")
    assert f'keyring_backend = "{BACKEND}"' in refused.err
    assert f'key_file = "{place}/etc/key"' in refused.err
    assert (place / "host.toml").read_text() == text
    assert not (place / "etc").exists()


def test_init_with_a_credential(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place / "credentials"
    folder.mkdir(mode=0o700)
    (folder / "mailpolicy.key").write_bytes(b"c" * 32)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    made = run("secrets", "init", "--host-config", "host.toml", "--secrets-file", "secrets")
    assert (made.status, made.out.split("\n")[0]) == (0, f"master key\t{folder}/mailpolicy.key\tok")
    assert "key_file" not in (place / "host.toml").read_text()
    (place / "given").write_text("s3cret")
    arguments = ("smart-host", "set", "alice@example.com", "--password-file", "given", "--host-config", "host.toml")
    assert run(*arguments).status == 0
    assert sealed_with_credential(place, folder) == {ALICE: "s3cret"}
    refused = run("secrets", "rotate", "--host-config", "host.toml")
    assert (refused.status, "--new-key-file" in refused.err) == (5, True)
    rotated = run("secrets", "rotate", "--new-key-file", "new-key", "--host-config", "host.toml")
    assert rotated.status == 0
    assert "systemd-creds encrypt --name=mailpolicy.key new-key" in rotated.err


def sealed_with_credential(place: Path, folder: Path) -> dict[str, str]:
    from mailpolicy.sealed.file import SecretsFile
    from mailpolicy.sealed.key_source import KeyLocations

    return SecretsFile.at(str(place / "secrets"), KeyLocations(str(folder))).get_many("mailpolicy", [ALICE])


def as_dry(run: Run, *arguments: str) -> Result:
    """A run that is refused, and in a dry run with the same words before it."""
    dry, real = run(*arguments, "--dry-run"), run(*arguments)
    assert (dry.status, dry.out, dry.err) == (real.status, "", real.err)
    return real


def test_rotate_of_a_credential_is_refused_dry_too(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed_file(place)
    use = options(place)
    (place / "credentials").mkdir(mode=0o700)
    (place / "key").rename(place / "credentials/mailpolicy.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(place / "credentials"))
    refused = as_dry(run, "secrets", "rotate", *use)
    assert refused.status == 5
    assert refused.err.startswith(
        f"mailpolicy: {place / 'secrets'}: the key is a systemd credential ({place}/credentials/mailpolicy.key), "
    )


def test_init_of_a_file_that_lost_its_key_is_refused_dry_too(run: Run, place: Path) -> None:
    sealed_file(place)
    (place / "key").rename(place / "elsewhere")
    refused = as_dry(run, "secrets", "init", *options(place))
    assert (refused.status, f"restore {place / 'key'} from" in refused.err) == (6, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by this")
@pytest.mark.parametrize("where", [("open/secrets", "etc/key"), ("lib/secrets", "open/key")], ids=" ".join)
def test_init_where_others_can_write_is_refused_dry_too(run: Run, place: Path, where: tuple[str, str]) -> None:
    folder = place / "open"
    folder.mkdir()
    os.chown(folder, 65534, -1)
    refused = as_dry(run, *INIT[:5], where[0], INIT[6], where[1])
    assert (refused.status, f"chown root {folder}" in refused.err) == (6, True)
    assert not (place / "host.toml").exists()
    assert list(folder.iterdir()) == []


def test_rotate_to_the_key_that_is_in_use(run: Run, place: Path) -> None:
    sealed_file(place).change("mailpolicy", {ALICE: "one"})
    (place / "copy").write_bytes((place / "key").read_bytes())
    (place / "copy").chmod(0o400)
    before = (place / "secrets").read_bytes()
    refused = as_dry(run, "secrets", "rotate", "--new-key-file", "copy", *options(place))
    assert refused.status == 5
    assert refused.err == (
        f"mailpolicy: {place}/copy: this key is in use already: name a new file, or one with another key\n"
    )
    assert (place / "secrets").read_bytes() == before


def test_rotate_makes_no_folder(run: Run, place: Path) -> None:
    sealed_file(place)
    refused = as_dry(run, "secrets", "rotate", "--new-key-file", "a/b/new", *options(place))
    assert (refused.status, f"mkdir -p -m 0700 {place}/a/b" in refused.err) == (5, True)
    assert not (place / "a").exists()


def test_rotate_to_another_key_file_says_which_line_to_change(run: Run, place: Path) -> None:
    sealed_file(place).change("mailpolicy", {ALICE: "one", SERVER: "two"})
    use = options(place)
    rotated = run("secrets", "rotate", "--new-key-file", "new", *use)
    assert rotated.status == 0
    line = f'key_file = "{place}/new"'
    assert f"set in {place / 'host.toml'}, instead of {place / 'key'}: {line}" in rotated.err
    assert "systemd-creds" not in rotated.err
    config = place / "host.toml"
    config.write_text(config.read_text().replace(f'key_file = "{place}/key"', line))
    assert run("secrets", "verify", *use).status == 0


def test_the_whole_life_of_a_password(run: Run, place: Path) -> None:
    sealed_file(place)
    use = options(place)
    (place / "given").write_text("s3cret-one\n")
    for arguments in (("alice@example.com",), ("--server", "--login", "relay")):
        assert run("smart-host", "set", *arguments, "--password-file", "given", *use).status == 0
    assert run("validate", "--secrets", *use).status == 0
    assert "in the keyring" in run("smart-host", "show", "alice@example.com", *use).out
    assert run("secrets", "list", *use).out == f"{SERVER}\n{ALICE}\n"
    rotated = run("secrets", "rotate", *use, "--json")
    assert json.loads(rotated.out)["secrets"] == 2
    assert run("account", "rename", "alice@example.com", "carol@example.com", *use).status == 0
    assert run("secrets", "verify", *use).out == f"{SERVER}\tthere\n{ALICE.replace('alice', 'carol')}\tthere\n"
    assert run("account", "remove", "carol@example.com", *use).status == 0
    assert run("secrets", "list", *use).out == f"{SERVER}\n"
    for path in place.iterdir():
        assert path.name == "given" or b"s3cret" not in path.read_bytes()


def test_verify(run: Run, place: Path) -> None:
    keyring = sealed_file(place)
    keyring.change("mailpolicy", {SERVER: "one", LEFT: "two"})
    keyring.change("another program", {"user": "three"})
    result = run("secrets", "verify", *options(place))
    assert result.status == 1
    assert result.out == f"{SERVER}\tthere\n{ALICE}\tmissing\n{LEFT}\tnot named by the store\n"
    assert result.err == (
        f"missing: the smart-host password of alice@example.com is not in the keyring for {RELAY}: "
        f"mailpolicy smart-host set alice@example.com --host-config {place / 'host.toml'}\n"
    )
    told = json.loads(run("secrets", "verify", "--json", *options(place)).out)
    assert (told["ok"], [secret["state"] for secret in told["secrets"]]) == (
        False,
        ["there", "missing", "not named by the store"],
    )
    path = place / "secrets"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    damaged = run("secrets", "verify", *options(place))
    assert (damaged.status, damaged.out) == (6, "")
    assert f"{path}: the file is damaged, truncated or modified" in damaged.err


def test_a_held_lock_is_75(run: Run, place: Path) -> None:
    sealed_file(place)
    (place / "given").write_text("s3cret")
    with locked(str(place / "secrets"), 0):
        arguments = ("smart-host", "set", "alice@example.com", "--password-file", "given", "--lock-timeout", "0.05")
        result = run(*arguments, *options(place))
    assert (result.status, result.out) == (75, "")
    assert result.err.endswith("nothing was written, try again\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by this")
def test_root_seals_nothing_where_others_can_write(run: Run, place: Path) -> None:
    folder = place / "open"
    folder.mkdir()
    folder.chmod(0o777)
    before = sorted(place.rglob("*"))
    for option in ("--secrets-file", "--key-file", "--host-config"):
        for path in ("open/file", "open/new/folders/file"):
            result = run(*INIT, option, path)  # the last one of an option counts
            assert result.status in (5, 6)
            assert f"chmod go-w {folder}" in result.err
            assert sorted(place.rglob("*")) == before


def test_what_an_account_of_the_past_left_can_be_cleared(run: Run, place: Path) -> None:
    """Else a new account of that name would inherit it."""
    left = {
        "smart-host/gone@example.com/relay.example:587": "one",
        "multipop/gone@example.com/isp/g@pop.example:995/implicit": "two",
    }
    file = sealed_file(place)
    file.change("mailpolicy", {**left, SERVER: "three"})
    assert run("smart-host", "clear", "gone@example.com", "--yes", *options(place)).status == 0
    assert run("multipop", "source", "remove", "gone@example.com", "isp", "--yes", *options(place)).status == 0
    assert sealed_file(place).get_all()["mailpolicy"] == {SERVER: "three"}
    assert run("smart-host", "clear", "gone@example.com", "--yes", *options(place)).status == 4


def test_a_password_that_cannot_be_removed_is_told_in_one_object(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is changed by then, so this is no failed write (7) that left everything as it was."""
    sealed_file(place).change("mailpolicy", {ALICE: "one"})
    real = os.rename

    def rename(source: str, target: str, **folders: int) -> None:
        if target == "secrets":
            raise OSError(28, "No space left on device")
        real(source, target, **folders)

    with monkeypatch.context() as failing:
        failing.setattr(os, "rename", rename)
        result = run("account", "remove", "alice@example.com", "--yes", "--json", *options(place))
    told = json.loads(result.out)
    assert (result.status, told["schema"], told["exit"], told["changed"]) == (6, "mailpolicy.error/1", 6, True)
    assert told["fix"] == "mailpolicy smart-host clear alice@example.com"
    assert run("smart-host", "clear", "alice@example.com", "--yes", *options(place)).status == 0


def test_init_beside_another_host_toml_names_the_line_to_change(run: Run, tmp_path: Path) -> None:
    """Following the message leaves a host.toml that is read."""
    host = tmp_path / "host.toml"
    host.write_text(f'secrets_file = "{tmp_path / "secrets"}"\n')
    other = tmp_path / "other"
    init = (
        "--host-config",
        str(host),
        "secrets",
        "init",
        "--secrets-file",
        str(other),
        "--key-file",
        str(tmp_path / "key"),
    )
    done = run(*init)
    assert (done.status, done.out) == (5, "")
    said = f"{host}: exists already, and does not name the file that would be made; on line 1 write"
    assert f'{said} secrets_file = "{other}"; add at its top, each on a line: ' in done.err
    assert not other.exists()
    added = done.err.partition("each on a line: ")[2].splitlines()[0].split("  ")
    host.write_text("\n".join([*added, f'secrets_file = "{other}"', ""]))
    assert run(*init).status == 0
    assert run("--host-config", str(host), "secrets", "list").status in (0, 3)  # 3: there is no store
