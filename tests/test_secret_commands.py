"""secrets and doctor: the sealed file set up, rotated, listed, verified, filled from another keyring; its state told."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from mailpolicy.system.held import locked
from tests.helpers import RELAY, RELAYED, Result, Run
from tests.sealing import BACKEND, options, sealed_file

JSON = "tests.backends.Json"
ALICE = f"smart-host/alice@example.com/{RELAY}"
SERVER = f"smart-host/@server/{RELAY}"
LEFT = f"smart-host/left@example.com/{RELAY}"  # of nobody in the store


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store that names two secrets, and what a keyring of the tests' own needs."""
    (tmp_path / "accounts.toml").write_text(RELAYED.replace("\npop = true", '\npop = true\nsmart_host_login = "al"'))
    monkeypatch.setenv("TEST_KEYRING", str(tmp_path / "keyring.json"))
    monkeypatch.setenv("TEST_STORE", str(tmp_path / "accounts.toml"))
    monkeypatch.setenv("MAILPOLICY_FILE", str(tmp_path / "accounts.toml"))
    return tmp_path


INIT = ("secrets", "init", "--host-config", "host.toml", "--secrets-file", "lib/secrets", "--key-file", "etc/key")


def test_init(run: Run, place: Path) -> None:
    assert run(*INIT, "--dry-run").out.count("would change") == 3
    assert not (place / "host.toml").exists()
    assert not (place / "lib").exists()
    made = run(*INIT)
    assert (made.status, made.out.count("\tchanged\n")) == (0, 3)
    assert "keep a copy of the master key" in made.err
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
    assert (edited.status, "goes by no host.toml" in edited.err) == (0, True)
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
    from mailpolicy.sealed.key_source import Sources

    return SecretsFile.located(str(place / "secrets"), Sources(str(folder))).several("mailpolicy", [ALICE])


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
    assert refused.err.startswith(f"mailpolicy: {place / 'secrets'}: its key is {place}/credentials/mailpolicy.key, ")


def test_init_of_a_file_that_lost_its_key_is_refused_dry_too(run: Run, place: Path) -> None:
    sealed_file(place)
    (place / "key").rename(place / "elsewhere")
    refused = as_dry(run, "secrets", "init", *options(place))
    assert (refused.status, f"bring {place / 'key'} back" in refused.err) == (6, True)


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
        f"mailpolicy: {place}/copy: this is the key that is in use: name a file that is not there, or has another key\n"
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
    assert f"name it in {place / 'host.toml'}, in the place of {place / 'key'}: {line}" in rotated.err
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
    assert f"{path}: the file is damaged, cut off or changed" in damaged.err


def kept(place: Path) -> dict[str, str]:
    return json.loads((place / "keyring.json").read_text()).get("mailpolicy", {})  # type: ignore[no-any-return]


@pytest.fixture
def plain(place: Path) -> Path:
    """The two secrets in the keyring of the tests' own, and a third that the store does not name."""
    secrets = {ALICE: "one", SERVER: "two", LEFT: "three"}
    (place / "keyring.json").write_text(json.dumps({"mailpolicy": secrets}))
    return place


MOVE = ("secrets", "move", "--from", JSON, "--to", BACKEND)


def test_move(run: Run, plain: Path) -> None:
    keyring = sealed_file(plain)
    use = options(plain)
    assert run(*MOVE, "--dry-run", *use).out == f"{SERVER}\twould move\tchanged\n{ALICE}\twould move\tchanged\n"
    assert len(kept(plain)) == 3
    moved = run(*MOVE, *use)
    assert (moved.status, moved.out) == (0, f"{SERVER}\tmoved\tchanged\n{ALICE}\tmoved\tchanged\n")
    assert keyring.several("mailpolicy", [ALICE, SERVER]) == {ALICE: "one", SERVER: "two"}
    assert kept(plain) == {LEFT: "three"}
    assert run(*MOVE, *use).out == f"{SERVER}\tthere already\tok\n{ALICE}\tthere already\tok\n"
    back = run("secrets", "move", "--from", BACKEND, "--to", JSON, *use)
    assert back.status == 0
    assert f'keyring_backend = "{JSON}"' in back.err
    assert len(kept(plain)) == 3
    assert run("secrets", "list", *use).out == ""


def test_move_over_other_secrets(run: Run, plain: Path) -> None:
    keyring = sealed_file(plain)
    keyring.change("mailpolicy", {ALICE: "another"})
    refused = run(*MOVE, *options(plain))
    assert (refused.status, refused.out) == (5, "")
    assert ALICE in refused.err
    assert keyring.several("mailpolicy", [SERVER]) == {}
    assert len(kept(plain)) == 3
    assert run(*MOVE, "--overwrite", *options(plain)).status == 0
    assert keyring.several("mailpolicy", [ALICE]) == {ALICE: "one"}


@pytest.mark.parametrize("target", ["tests.backends.Losing", "tests.backends.Cutting"])
def test_move_into_a_keyring_that_loses(run: Run, place: Path, target: str) -> None:
    keyring = sealed_file(place)
    keyring.change("mailpolicy", {ALICE: "secret of one", SERVER: "secret of two"})
    result = run("secrets", "move", "--from", BACKEND, "--to", target, *options(place))
    assert (result.status, result.out) == (6, "")
    assert "what was read back differs" in result.err
    assert len(keyring.several("mailpolicy", [ALICE, SERVER])) == 2


def test_move_to_itself(run: Run, place: Path) -> None:
    assert run("secrets", "move", "--from", JSON, "--to", JSON).status == 2


@pytest.mark.parametrize("names", [(JSON, "tests.backends.Alias"), ("tests.backends.Alias", JSON)], ids=" ".join)
def test_move_where_two_names_lead_to_one_keyring(run: Run, plain: Path, names: tuple[str, str]) -> None:
    before = kept(plain)
    dry = run("secrets", "move", "--from", names[0], "--to", names[1], "--dry-run", *options(plain))
    assert f"note: {names[1]} shows the same secrets: that it is another keyring is tried" in dry.err
    refused = run("secrets", "move", "--from", names[0], "--to", names[1], *options(plain))
    assert (refused.status, refused.out) == (5, "")
    assert f"{names[0]} and {names[1]} keep their secrets in one place" in refused.err
    assert kept(plain) == before


def test_move_between_keyrings_that_remember_what_they_read(run: Run, plain: Path) -> None:
    names, before = ("tests.backends.Remembering", "tests.backends.RememberingToo"), kept(plain)
    refused = run("secrets", "move", "--from", names[0], "--to", names[1], *options(plain))
    assert (refused.status, refused.out) == (5, "")
    assert "keep their secrets in one place" in refused.err
    assert kept(plain) == before
    dry = run("secrets", "move", "--from", names[0], "--to", BACKEND, "--dry-run", *options(plain))
    assert "name the new keyring" not in dry.err


def test_move_to_a_keyring_that_shows_the_old_one(run: Run, plain: Path) -> None:
    """What it shows is not what it has: the secrets are kept in it before they go."""
    moved = run("secrets", "move", "--from", JSON, "--to", "tests.backends.Layered", *options(plain))
    assert (moved.status, moved.out.count("\tmoved\t")) == (0, 2)
    assert json.loads((plain / "keyring.json.own").read_text()) == {ALICE: "one", SERVER: "two"}
    assert kept(plain) == {LEFT: "three"}


def test_move_where_the_new_keyring_loses_what_the_old_one_gives_up(run: Run, plain: Path) -> None:
    before = kept(plain)
    result = run("secrets", "move", "--from", JSON, "--to", "tests.backends.Sharing", *options(plain))
    assert (result.status, result.out) == (6, "")
    assert "they were put back" in result.err
    assert kept(plain) == before


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


# doctor


@pytest.fixture(autouse=True)
def no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doctor finds no mail log of the machine that runs the tests."""
    monkeypatch.setattr("mailpolicy.cli.clients.LOGS", ("/no/log",))


def doctor(run: Run, *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    result = run("doctor", "--json", *arguments)
    told = json.loads(result.out)
    assert told["healthy"] is (result.status == 0)
    worst: dict[str, dict[str, str]] = {}
    for check in told["checks"]:
        if check["check"] not in worst or check["state"] != "ok":
            worst[check["check"]] = check
    return result.status, worst


def test_doctor_of_a_healthy_machine(run: Run, place: Path) -> None:
    sealed_file(place).change("mailpolicy", {ALICE: "one", SERVER: "two"})
    status, checks = doctor(run, *options(place))
    assert status == 0
    assert {name for name, check in checks.items() if check["state"] != "ok"} == {"clients"}, "there is no mail log"
    assert checks["keyring"]["message"] == f"{BACKEND}, named by host.toml: safe"
    assert "written 1 time," in checks["sealed file"]["message"]
    shown = run("doctor", *options(place))
    assert [line.split("\t")[:2] for line in shown.out.splitlines()] == [
        *([name, "ok"] for name in ("store", "permissions", "host.toml", "keyring", "sealed file", "secrets")),
        ["clients", "skipped"],
    ]


def test_doctor_names_each_ill_and_its_cure(run: Run, place: Path) -> None:
    keyring = sealed_file(place)
    keyring.change("mailpolicy", {ALICE: "one"})
    use = options(place)
    (place / "accounts.toml").chmod(0o666)
    (place / "secrets").chmod(0o644)
    (place / "accounts.toml.pending").write_text(ALICE + "\n")
    status, checks = doctor(run, *use)
    assert status == 1
    assert {name: check["state"] for name, check in checks.items()} == {
        "store": "ok",
        "permissions": "error",
        "host.toml": "ok",
        "keyring": "ok",
        "sealed file": "warning",
        "secrets": "error",
        "unfinished": "warning",
        "clients": "skipped",
    }
    assert checks["permissions"]["fix"] == f"chmod go-w {place / 'accounts.toml'}"
    assert checks["sealed file"]["fix"] == f"chmod 0600 {place / 'secrets'}"
    assert checks["secrets"]["message"] == "1 of 2 secrets are missing"
    (place / "key").chmod(0o444)
    assert doctor(run, *use)[1]["sealed file"]["fix"] == f"chmod 0400 {place / 'key'}"
    (place / "key").chmod(0o400)
    (place / "accounts.toml").write_text("version = 2\n")
    status, checks = doctor(run, *use)
    assert checks["store"]["fix"] == f"mailpolicy validate --file {place / 'accounts.toml'}"
    (place / "host.toml").write_text("keyring_backends = 1\n")
    assert doctor(run, *use)[1]["host.toml"]["state"] == "error"


def test_doctor_of_a_half_rotated_file(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = sealed_file(place)
    keyring.change("mailpolicy", {ALICE: "one", SERVER: "two"})
    monkeypatch.setattr(keyring.source, "promote", lambda: None)
    keyring.rotate()
    status, checks = doctor(run, *options(place))
    assert (status, checks["sealed file"]["fix"]) == (0, "mailpolicy secrets rotate")
    assert run("secrets", "rotate", *options(place)).status == 0
    assert doctor(run, *options(place))[1]["sealed file"]["state"] == "ok"


def test_doctor_about_other_keyrings(run: Run, place: Path) -> None:
    """One that protects nothing, one that is not known, and none."""
    (place / "host.toml").write_text("")
    use = ("--host-config", str(place / "host.toml"))
    for name, state in (("PlaintextKeyring", "error"), ("Json", "warning")):
        _, checks = doctor(run, *use, "--keyring-backend", f"tests.backends.{name}")
        assert checks["keyring"]["state"] == state
        assert checks["keyring"]["fix"] == (
            f"mailpolicy secrets init && mailpolicy secrets move --from tests.backends.{name} --to {BACKEND}"
        )
    if os.geteuid() == 0:
        status, checks = doctor(run, *use)
        assert (status, checks["keyring"]["state"], checks["keyring"]["fix"]) == (1, "error", "mailpolicy secrets init")
        (place / "accounts.toml").write_text("version = 1\n")
        assert doctor(run, *use)[1]["keyring"]["state"] == "warning"  # nothing needs one


def test_doctor_looks_at_the_exports(run: Run, place: Path) -> None:
    sealed_file(place).change("mailpolicy", {ALICE: "one", SERVER: "two"})
    use = options(place)
    path = place / "out" / "sasl_passwd"
    exports = f'[exports.relay]\ntarget = "postfix-sasl-passwd"\npath = "{path}"\n'
    (place / "host.toml").write_text((place / "host.toml").read_text() + exports)
    status, checks = doctor(run, *use)
    assert (status, checks["exports"]["state"], checks["exports"]["fix"]) == (1, "error", "mailpolicy deploy relay")
    assert f"{path} is missing" in checks["exports"]["message"]
    assert run("deploy", *use).status == 0
    assert doctor(run, *use)[1]["exports"]["state"] == "ok"
    path.chmod(0o644)
    assert "mode or owner" in doctor(run, *use)[1]["exports"]["message"]
    (place / "key").chmod(0o444)
    status, checks = doctor(run, *use)
    assert (status, checks["exports"]["fix"]) == (1, f"chmod 0400 {place / 'key'}")


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
    assert sealed_file(place).everything()["mailpolicy"] == {SERVER: "three"}
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
