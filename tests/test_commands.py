"""What the commands do beyond one account: targets, layers, forms of output, options anywhere."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pexpect
import pytest
import tomli

from mailpolicy.cli.app import LazyGroup
from mailpolicy.policy.lan import lan_entry
from tests.helpers import MINIMAL, ROOT, Run

STORE = """\
version = 1

[server]
edition = "pro"
outlook_connector_installed = true

[defaults]
imap = true

[templates.office]
pop = true

[accounts."a@x.example"]
template = "office"

[accounts."b@x.example"]
template = "office"
pop = false

[accounts."c@sub.x.example"]

[accounts."d@y.example"]
imap = false
"""


def written(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.toml"
    path.write_text(STORE)
    return path


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
        == "reaches 1 account; 1 keeps its own setting\n"
    )
    assert (
        run("--file", str(path), "imap", "off", "--in-defaults").err == "reaches 3 accounts; 1 keeps its own setting\n"
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
    assert "warning: Outlook Connector rides on IMAP, which is off for d@y.example" in layer.err
    stopped = run("--file", str(path), "imap", "off", "a@x.example")
    assert stopped.status == 0
    assert "this stops Outlook Connector, which rides on IMAP, for a@x.example" in stopped.err
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


def test_options_stand_anywhere(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    forms = [
        ("--file", str(path), "--json", "account", "list"),
        ("account", "--file", str(path), "--json", "list"),
        ("account", "list", "--json", f"--file={path}"),
        ("account", "list", "--format", "json", "--file", str(path)),
    ]
    assert len({run(*form) for form in forms}) == 1


def test_json_of_every_edit_is_one_object(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    for command in (
        ("pop", "on", "a@x.example"),
        ("pop", "on", "a@x.example"),
        ("lan", "add", "10.0.0.0/8"),
        ("template", "rename", "office", "desk"),
        ("init",),
        ("account", "add", "q@x.example", "--dry-run"),
        ("smart-host", "set", "--server", "--host", "smtp.example"),
    ):
        lines = run("--file", str(path), *command, "--json").out.splitlines()
        assert len(lines) == 1
        edit = json.loads(lines[0])
        assert edit["schema"] == "mailpolicy.edit/1"
        assert edit["file"] == str(path)
        assert edit["changed"] is bool(edit["changes"])
        assert edit["dry_run"] is ("--dry-run" in command)
        assert all(change.keys() == {"address", "key", "old", "new"} for change in edit["changes"])


def test_one_object_also_for_what_cannot_be_opened(run: Run, tmp_path: Path) -> None:
    result = run("validate", "missing.toml", str(written(tmp_path)), "--json")
    assert result.status == 3
    answer = json.loads(result.out)
    assert [file["valid"] for file in answer["files"]] == [False, True]
    assert "no such file" in answer["files"][0]["error"]["message"]
    assert json.loads(run("--json").out)["code"] == "usage"


def test_typos_are_answered_in_words(run: Run) -> None:
    assert "Did you mean 'on'?" in run("pop", "onn").err
    assert (
        run(
            "account",
            "add",
            "alice@acme.example",
            "imani@acme.example",
            "--pop",
            "off",
            "--file",
            str(ROOT / "accounts.toml.example"),
        ).err.count("is true")
        == 2
    )


@pytest.mark.parametrize(
    ("arguments", "built"),
    [
        ("multipop source print-password", {"source": {"print-password"}}),
        ("multipop on x@example.com", {"on": None}),
        ("multipop source print", {"source": {"add", "list", "print-password", "remove", "set", "set-password"}}),
    ],
)
def test_no_other_command_of_a_group_is_built(arguments: str, built: dict[str, set[str] | None]) -> None:
    """Which would take longer than to run most of them; of a name that is none all are there to be suggested."""
    name, *below = arguments.split()
    group = LazyGroup().get_command(None, name, below)
    assert {one: set(inner.commands) if built[one] else None for one, inner in group.commands.items()} == built
    assert len(LazyGroup().get_command(None, name).commands) > 5


def test_templates(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    file = ("--file", str(path))
    assert "in use by a@x.example, b@x.example" in run(*file, "template", "remove", "office").err
    assert run(*file, "template", "remove", "office").status == 5
    assert run(*file, "template", "add", "desk").status == 0
    assert run(*file, "template", "rename", "office", "desk").status == 5
    assert run(*file, "template", "assign", "desk", "--with-template", "office").status == 0
    assert run(*file, "template", "remove", "office").status == 0
    assert run(*file, "template", "remove", "office").status == 4
    assert run(*file, "template", "remove", "office", "--if-exists").status == 0
    assert run(*file, "template", "list").out == "desk\t-\t-\t-\t-\t-\t-\t2\n"
    assert run(*file, "template", "unassign", "--all").status == 0
    assert run(*file, "template", "remove", "desk").status == 0
    assert "templates" not in tomli.loads(path.read_text())


def test_the_lan(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    file = ("--file", str(path))
    run(*file, "pop", "lan-only", "a@x.example")
    added = run(*file, "lan", "add", "10.0.0.0/8", "192.168.*.*", "203.0.113.0/24")
    assert "1 account is confined to the LAN" in added.err
    assert "warning: 203.0.113.0/24 is not wholly inside" in added.err
    assert run(*file, "lan", "add", "192.168.0.0/16").out == "lan\t192.168.0.0/16\tin the LAN\tok\n"
    covered = run(*file, "lan", "remove", "10.1.0.0/16")
    assert (covered.status, covered.out) == (0, "lan\t10.1.0.0/16\tstill in the LAN\tok\n")
    assert "warning: 10.1.0.0/16 stays in the LAN, through 10.0.0.0/8\n" in covered.err
    assert run(*file, "lan", "remove", "192.168.0.0-192.168.255.255").out.endswith("\tchanged\n")
    run(*file, "lan", "add", "172.16.0.0/13", "172.24.0.0/13")
    together = run(*file, "lan", "remove", "172.16.0.0/12")
    assert together.out == "lan\t172.16.0.0/12\tstill in the LAN\tok\n"
    assert "172.16.0.0/12 stays in the LAN, through 172.16.0.0/13, 172.24.0.0/13\n" in together.err
    assert run(*file, "lan", "reset").status == 0
    assert tomli.loads(path.read_text())["server"]["lan"] == [
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10",
    ]  # fmt: skip
    assert run(*file, "lan", "reset").out.endswith("\tok\n")


LISTS = {
    "narrow first": ["203.0.113.9", "203.0.113.0/24", "10.0.0.0/8"],
    "wide first": ["203.0.113.0/24", "203.0.113.9", "10.0.0.0/8"],
    "written in other ways": ["203.0.113.9-203.0.113.9", "203.0.113.*", "10.0.0.0/8"],
}


@pytest.mark.parametrize("lan", LISTS.values(), ids=list(LISTS))
@pytest.mark.parametrize("order", [1, -1])
def test_the_lan_is_judged_as_it_is_after_the_whole_command(
    lan: list[str], order: int, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "accounts.toml"
    file = ("--file", str(path))

    def remove(*networks: str) -> tuple[list[str], str, list[str]]:
        path.write_text(f"version = 1\n[server]\nlan = {json.dumps(lan)}\n")
        done = run(*file, "lan", "remove", *networks[::order])
        assert done.status == 0
        left = [str(lan_entry(text)[0]) for text in tomli.loads(path.read_text())["server"]["lan"]]
        return [line.split("\t")[2] for line in done.out.splitlines()][::order], done.err, left

    results, said, left = remove("203.0.113.9", "203.0.113.0/24")
    assert (results, left) == (["not in the LAN"] * 2, ["10.0.0.0/8"])
    assert "stays" not in said
    results, said, left = remove("203.0.113.9")
    assert (results, sorted(left)) == (["still in the LAN"], ["10.0.0.0/8", "203.0.113.0/24"])
    assert f"203.0.113.9 stays in the LAN, through {lan[0] if lan[0].endswith(('4', '*')) else lan[1]}" in said
    results, said, left = remove("203.0.113.0/24", "10.0.0.0/8", "192.0.2.1")
    assert (results, left) == (["partly in the LAN", "not in the LAN", "not in the LAN"], ["203.0.113.9/32"])
    assert "203.0.113.0/24 stays partly in the LAN, through 203.0.113.9" in said

    path.write_text("version = 1\n[server]\nlan = []\n")
    added = run(*file, "lan", "add", *lan[::order])
    assert added.status == 0
    left = [str(lan_entry(text)[0]) for text in tomli.loads(path.read_text())["server"]["lan"]]
    assert sorted(left) == ["10.0.0.0/8", "203.0.113.0/24"]
    again = run(*file, "lan", "add", *lan)
    assert [line.split("\t")[3] for line in again.out.splitlines()] == ["ok"] * 3


def test_of_two_that_are_the_same_one_is_added(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text("version = 1\n")
    assert run("--file", str(path), "lan", "add", "10.0.0.*", "10.0.0.0/24", "10.0.0.0-10.0.0.255").status == 0
    assert tomli.loads(path.read_text())["server"]["lan"] == ["10.0.0.*"]


def test_the_server(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    file = ("--file", str(path))
    for key, value, wanted in (
        ("multipop", "yes", True),
        ("outlook-connector-installed", "FALSE", False),
        ("outlook_connector_installed", "on", True),
        ("edition", "Standard", "standard"),
    ):
        assert run(*file, "server", "set", key, value).status == 0
        assert tomli.loads(path.read_text())["server"][key.replace("-", "_")] == wanted
    assert "mailpolicy lan add" in run(*file, "server", "set", "lan", "10.0.0.0/8").err
    assert "smart-host set --server" in run(*file, "server", "set", "port", "25").err


def test_validate_several_and_stdin(program: Run, tmp_path: Path) -> None:
    good = written(tmp_path)
    (tmp_path / "bad.toml").write_text("version = 1\nfoo = 1\nbar = 2\n")
    result = program("validate", str(good), "bad.toml", "missing.toml", "-", stdin="version = 1\n[templates.t]\n")
    assert result.status == 3
    assert result.out.splitlines() == [
        "bad.toml:2:1: error[MP005]: unknown key 'foo', known here: version, server, defaults, templates, accounts",
        "bad.toml:3:1: error[MP005]: unknown key 'bar', known here: version, server, defaults, templates, accounts",
        "-:2:1: warning[MP037]: no account uses the template t",
    ]
    assert program("validate", "-", stdin="version = 1\n[templates.t]\n").status == 0
    assert program("validate", "-", "--strict", stdin="version = 1\n[templates.t]\n").status == 1
    assert program("validate", "-", "--strict", "--ignore", "MP037", stdin="version = 1\n[templates.t]\n") == (
        0,
        "",
        "-: valid, 0 errors, 0 warnings\n",
    )
    assert program("validate", "-", "--ignore", "MP005", stdin="version = 1\n").status == 2
    assert program("validate", "-", "--ignore", "XX", stdin="version = 1\n").status == 2


def test_every_code_is_provoked_by_an_example() -> None:
    """Each code of the table stands in the findings of some example, but for those that need root or a keyring."""
    from mailpolicy.diagnostics.rules import RULES

    found = "".join(
        path.read_text() for folder in ("invalid", "advice") for path in (ROOT / "tests" / folder).glob("*.txt")
    )
    assert {code for code in RULES if f"[{code}]" not in found} == {"MP039", "MP060", "MP061"}


REFUSED_TOGETHER = (
    (("--max-size-kb", "5"), ("--any-size",)),
    (("--delete-after-days", "5"), ("--never-delete",)),
)


@pytest.mark.parametrize(("limit", "none"), REFUSED_TOGETHER)
def test_options_that_exclude_each_other_are_both_named_and_no_other(
    run: Run, limit: tuple[str, ...], none: tuple[str, ...]
) -> None:
    error = run("multipop", "source", "set", "a@x.example", "isp", *limit, *none).err
    assert set(re.findall("--[a-z-]+", error)) == {limit[0], none[0]}


@pytest.mark.parametrize(
    "command",
    [
        ("account", "suspend"),
        ("account", "resume"),
        ("template", "assign", "office"),
        ("template", "unassign"),
        ("pop", "on"),
        ("imap", "lan-only"),
        ("multipop", "off"),
    ],
    ids=" ".join,
)
def test_no_option_is_offered_that_the_command_does_not_have(run: Run, command: tuple[str, ...]) -> None:
    has = set(re.findall("(--[a-z-]+)", run(*command, "--help").out))
    for way in ((), ("a@x.example", "--all")):
        result = run(*command, *way)
        assert result.status == 2
        offered = set(re.findall("--[a-z-]+", result.err))
        assert offered == has & {"--domain", "--with-template", "--all", "--in-template", "--in-defaults"}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("template", "remove", "nosuch"), False),
        (("template", "show", "offic"), True),
        (("pop", "on", "--in-template", "offic"), True),
        (("account", "list", "--with-template", "offic"), True),
        (("template", "rename", "offic", "x"), True),
    ],
)
def test_no_template_is_offered_where_another_was_meant(
    run: Run, store: Path, arguments: tuple[str, ...], hint: bool
) -> None:
    store.write_text(f"{MINIMAL}\n[templates.office]\n")
    refused = run("--file", str(store), *arguments)
    assert refused.status in (2, 4)
    assert ("did you mean office?" in refused.err) is (hint and refused.status == 4)
    assert "template add" not in refused.err


def test_a_person_is_asked_although_stdout_is_a_pipe(store: Path) -> None:
    """`| tee log` is what people type; the question goes to stderr."""
    accounts = "".join(f'\n[accounts."u{number}@example.com"]\npop = true\n' for number in range(30))
    store.write_text(MINIMAL + accounts)
    command = f"{sys.executable} -m mailpolicy --file {store} pop off --all | cat"
    child = pexpect.spawn("sh", ["-c", command], encoding="utf-8", timeout=30)
    child.expect("change 3[0-9] accounts")
    child.sendline("n")
    child.expect(pexpect.EOF)
    assert store.read_text() == MINIMAL + accounts
