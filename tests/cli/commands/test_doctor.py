"""Check that `doctor` names each ill of a machine, and its cure."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.commands.places import ALICE, SERVER
from tests.helpers import Run
from tests.sealing import BACKEND, options, sealed_file


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
