"""Check whom the commands of the services reach, which key they write, and what they say of it."""

from __future__ import annotations

import json
from pathlib import Path

import tomli

from tests.cli.commands.small_store import STORE, written
from tests.helpers import Run


def accounts(path: Path) -> dict:  # type: ignore[type-arg]
    return tomli.loads(path.read_text())["accounts"]  # type: ignore[no-any-return]


def changed(run: Run, path: Path, *command: str) -> list[str]:
    """The subjects of the lines that a command changed; the store is as before afterwards."""
    result = run("--file", str(path), *command)
    assert result.status == 0, result
    path.write_text(STORE)
    return [line.split("\t")[0] for line in result.out.splitlines() if line.endswith("\tchanged")]


def test_targets(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    assert changed(run, path, "multipop", "on", "a@x.example", "D@Y.example") == ["a@x.example", "d@y.example"]
    assert changed(run, path, "multipop", "on", "--domain", "X.example") == ["a@x.example", "b@x.example"]
    assert changed(run, path, "multipop", "on", "--with-template", "office") == ["a@x.example", "b@x.example"]
    assert changed(run, path, "multipop", "on", "--all") == [
        "a@x.example",
        "b@x.example",
        "c@sub.x.example",
        "d@y.example",
    ]
    assert changed(run, path, "multipop", "on", "--in-template", "office") == ["template office"]
    assert changed(run, path, "multipop", "on", "--in-defaults") == ["defaults"]
    assert changed(run, path, "account", "suspend", "--domain", "sub.x.example") == ["c@sub.x.example"]
    for mixed in (
        ["a@x.example", "--all"],
        ["--all", "--in-defaults"],
        ["--domain", "x.example", "--with-template", "office"],
        [],
    ):
        assert run("--file", str(path), "pop", "on", *mixed).status == 2


def test_on_and_off_and_lan_only_write_one_key(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    run("--file", str(path), "imap", "lan-only", "d@y.example")
    assert accounts(path)["d@y.example"] == {"imap": False, "imap_lan_only": True}
    run("--file", str(path), "imap", "on", "d@y.example")
    run("--file", str(path), "imap", "off", "d@y.example")
    assert accounts(path)["d@y.example"] == {"imap": False, "imap_lan_only": True}
    run("--file", str(path), "imap", "on", "--anywhere", "d@y.example")
    assert accounts(path)["d@y.example"] == {"imap": True, "imap_lan_only": False}
    run("--file", str(path), "imap", "inherit", "d@y.example")
    assert accounts(path)["d@y.example"] == {}


def test_on_pins_what_is_inherited_and_says_so(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    result = run("--file", str(path), "pop", "on", "a@x.example")
    assert result.out == "a@x.example\tpop\ton, from anywhere\tchanged\n"
    assert "a@x.example now has its own setting, with the value inherited until now" in result.err
    assert accounts(path)["a@x.example"]["pop"] is True


def test_a_layer_says_whom_it_reaches(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    assert (
        run("--file", str(path), "pop", "off", "--in-template", "office").err
        == "applies to 1 account; 1 keeps its own setting\n"
    )
    assert (
        run("--file", str(path), "imap", "off", "--in-defaults").err
        == "applies to 3 accounts; 1 keeps its own setting\n"
    )


def test_the_connector_needs_imap(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    refused = run("--file", str(path), "outlook-connector", "on", "a@x.example", "d@y.example")
    assert refused.status == 5
    assert "off for d@y.example" in refused.err
    assert "try: mailpolicy imap on d@y.example" in refused.err
    assert path.read_text() == STORE
    layer = run("--file", str(path), "outlook-connector", "on", "--in-defaults")
    assert layer.status == 0
    assert "warning: Outlook Connector needs IMAP, which is off for d@y.example" in layer.err
    stopped = run("--file", str(path), "imap", "off", "a@x.example")
    assert stopped.status == 0
    assert "this also stops Outlook Connector, which needs IMAP, for a@x.example" in stopped.err
    path.write_text(STORE.replace("outlook_connector_installed = true", ""))
    missing = run("--file", str(path), "outlook-connector", "on", "a@x.example")
    assert missing.status == 5
    assert "try: mailpolicy server set outlook-connector-installed on" in missing.err
    assert run("--file", str(path), "account", "add", "n@x.example", "--outlook-connector", "on").status == 5
    path.write_text(STORE)
    assert (
        run("--file", str(path), "account", "add", "n@x.example", "--imap", "off", "--outlook-connector", "on").status
        == 5
    )
    assert run("--file", str(path), "account", "add", "n@x.example", "--outlook-connector", "on").status == 0


def test_access_is_told(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    trials = {
        ("pop", "on", "c@sub.x.example"): "widened",
        ("pop", "off", "a@x.example"): "narrowed",
        ("imap", "lan-only", "a@x.example"): "narrowed",
        ("pop", "lan-only", "c@sub.x.example"): "same",
        ("pop", "on", "a@x.example"): "same",
        ("account", "remove", "a@x.example"): "narrowed",
        ("account", "add", "n@x.example"): "widened",
        ("account", "add", "n@x.example", "--imap", "off"): "same",
        ("account", "rename", "a@x.example", "z@x.example"): "both",
        ("server", "set", "edition", "standard"): "narrowed",
        ("template", "unassign", "a@x.example"): "narrowed",
        ("lan", "reset"): "same",
        ("account", "suspend", "--all"): "narrowed",
    }
    for command, access in trials.items():
        path.write_text(STORE)
        assert json.loads(run("--file", str(path), *command, "--json").out)["access"] == access, command
    path.write_text(STORE)
    run("--file", str(path), "imap", "lan-only", "--all")
    assert json.loads(run("--file", str(path), "lan", "add", "10.0.0.0/8", "--json").out)["access"] == "widened"
    assert json.loads(run("--file", str(path), "lan", "remove", "10.0.0.0/8", "--json").out)["access"] == "narrowed"
