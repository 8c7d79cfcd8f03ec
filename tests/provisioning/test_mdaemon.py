"""import mdaemon and lan import, on the files of tests/mdaemon, which were made by hand from the manual."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailpolicy.policy.account import Account
from mailpolicy.store.store import Store
from tests.helpers import MINIMAL, TESTS, Result, Run
from tests.machine import Machine

FILES = TESTS / "mdaemon"
CSV, XML = str(FILES / "accounts.csv"), str(FILES / "answers.xml")
LEFT = "pop_lan_only, imap_lan_only, outlook_connector, template, suspended"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAILPOLICY_FILE", "accounts.toml")
    path = tmp_path / "accounts.toml"
    path.write_text(MINIMAL + "[templates.field]\n")
    return path


def accounts(path: Path) -> dict[str, Account]:
    return dict(Store.read(str(path)).policy().accounts)


def test_the_account_csv(run: Run, path: Path) -> None:
    before = path.read_bytes()
    dry = run("import", "mdaemon", CSV, "--dry-run")
    assert path.read_bytes() == before
    done = run("import", "mdaemon", CSV)
    assert (done.out, done.err) == (dry.out, dry.err)
    assert done.err == f"{CSV}: 3 accounts, read as UTF-8\ncreate 3, change 0, remove 0, unchanged 0\n"
    frank, arvel, michael = done.out.splitlines()
    assert frank == (
        "frank@example.com\tcreate\tpop = true, imap = true, multipop = false; not expressed: FullName, MailDir, FwdPort; "
        f"left to the defaults: {LEFT}, smart_host_login\tchanged"
    )
    assert "not expressed: FullName, MailDir, IsForwarding, HideFromEveryone, ApplyQuotas, MaxDiskSpace" in arvel
    assert "arvel@example.com\tcreate\tpop = true, imap = true, multipop = true;" in arvel
    assert "michael@example.com\tcreate\tpop = false, imap = false, multipop = false;" in michael
    assert accounts(path)["michael@example.com"].own == {"pop": False, "imap": False, "multipop": False}
    assert "\tchanged" not in run("import", "mdaemon", CSV).out


def test_answers_of_the_xml_api(run: Run, path: Path) -> None:
    done = run("import", "mdaemon", XML)
    assert done.status == 0
    frank, arvel = done.out.splitlines()
    assert (
        "suspended = true; not expressed: whether Frozen or Disabled (either is suspended here), TemplateName (no such "
        "template); left" in frank
    )
    assert "left to the defaults: outlook_connector, smart_host_login, template" in frank
    assert arvel.startswith(
        "arvel@example.com\tcreate\tpop = false, imap = true, smtp_lan_only = true, template = 'field'"
    )
    assert "note: smtp is not governed yet" in done.err
    found = accounts(path)["frank@example.com"]
    switches = {"pop": True, "pop_lan_only": True, "imap": False, "imap_lan_only": False, "multipop": True}
    assert (found.own, found.suspended, found.template) == (switches, True, None)


def test_existing_accounts_are_changed_only_if_asked(run: Run, path: Path) -> None:
    assert run("import", "mdaemon", XML).status == 0
    left = run("import", "mdaemon", CSV)
    assert "frank@example.com\tunchanged\texists already, left alone;" in left.out
    assert accounts(path)["frank@example.com"].own["imap"] is False
    answer = json.loads(run("import", "mdaemon", CSV, "--update", "--json").out)
    assert answer["plan"] == {
        "change": ["frank@example.com", "arvel@example.com"],
        "unchanged": ["michael@example.com"],
    }
    assert answer["report"]["frank@example.com"]["not_expressed"] == ["FullName", "MailDir", "FwdPort"]
    assert accounts(path)["frank@example.com"].own["imap"] is True


@pytest.mark.parametrize("name", ["日本", "-----", "hunter2"])
def test_a_template_of_no_name_here_is_left_alone(run: Run, path: Path, tmp_path: Path, name: str) -> None:
    path.write_text(path.read_text().replace("pop_lan_only", 'template = "field"\npop_lan_only', 1))
    before = path.read_bytes()
    user = f"<User><Mailbox>alice</Mailbox><Domain>example.com</Domain><Options><TemplateName>{name}</TemplateName></Options></User>"
    (tmp_path / "file").write_text(user)
    told = run("import", "mdaemon", "file", "--update").out
    assert told.startswith("alice@example.com\tunchanged\t-; not expressed: TemplateName (no such template); left to")
    assert path.read_bytes() == before


USER = """\
<MDaemon><Response><Domain>example.com</Domain>
<User>
<Forwarding><Enabled>Yes</Enabled><Domain>elsewhere.example</Domain></Forwarding>
<Details><FullName>Frank Thomas</FullName><Password>hunter2</Password><Mailbox>frank</Mailbox></Details>
<Protocols><POP><Filter><Enabled>Yes</Enabled></Filter><Enabled>No</Enabled></POP></Protocols>
<Quota><MaxMessages>0</MaxMessages></Quota>
</User></Response></MDaemon>
"""


def test_the_nearest_element_counts_and_settings_without_a_key_are_named(run: Run, path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(USER)
    told = run("import", "mdaemon", "file").out
    assert told.startswith(
        "frank@example.com\tcreate\tpop = false; not expressed: Forwarding/Enabled, Forwarding/Domain, Details/FullName, "
        "Filter/Enabled; left to"
    )
    many = "".join(f"<A{number}>hunter2</A{number}>" for number in range(30))
    (tmp_path / "file").write_text(USER.replace("frank", "many").replace("<Quota>", f"{many}<Quota>"))
    told = run("import", "mdaemon", "file").out
    assert "A19, and 14 more; left to" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("between", ["", "\n", "<?xml version='1.0'?>", "<!-- the next -->"])
def test_answers_stand_one_after_the_other(run: Run, path: Path, tmp_path: Path, between: str) -> None:
    (tmp_path / "file").write_text(between.join(USER.replace("frank", name) for name in ("eins", "zwei", "drei")))
    assert run("import", "mdaemon", "file").status == 0
    assert {"eins@example.com", "zwei@example.com", "drei@example.com"} < accounts(path).keys()


ENCODINGS = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "utf-16-be": "UTF-16", "cp1252": "Windows-1252"}


@pytest.mark.parametrize("form", ["csv", "xml"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_encoding_is_detected_and_said(run: Run, path: Path, tmp_path: Path, form: str, encoding: str) -> None:
    text = {
        "csv": '"Domain","MailBox","FullName"\r\n"bücher.example","frank","Zoë"\r\n',
        "xml": "<MDaemon><User><Domain>bücher.example</Domain><Mailbox>frank</Mailbox></User></MDaemon>",
    }[form]
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    (tmp_path / "file").write_bytes(mark + text.encode(encoding))
    done = run("import", "mdaemon", "file")
    assert done.err.startswith(f"file: 1 account, read as {ENCODINGS[encoding]}\n")
    assert "frank@xn--bcher-kva.example" in accounts(path)
    assert run("import", "mdaemon", "file", "--input-format", form).status == 0


BAD = {
    "not-mdaemon.csv": (
        "hunter2,example.com\n",
        ["1: the first line names no column MailBox", "1: the first line names no"],
    ),
    "empty": ("", ["1: there is nothing in it"]),
    "addresses.csv": (
        'MailBox,Domain,Password\n"john smith",example.com,hunter2\n"!list",example.com,"hunter2"\n'
        '"Frank",example.com,""\n"frank",example.com,""\n"a",example.com,"hunter2\n',
        [
            "2: this is not an address: it contains a space",
            "3: this cannot be an account",
            "5: frank@example.com already stands in line 4",
            "6: a quote is not closed",
        ],
    ),
    "column-twice.csv": (
        "MailBox,Domain,AllowAccess,allowaccess\na,example.com,Y,N\n",
        ["1: the first line names the column AllowAccess twice"],
    ),
    "semicolon.csv": (
        "MailBox;Domain;FullName\na;example.com;hunter2\n",
        [
            "1: the first line names no column MailBox, or twice: MDaemon's account CSV is parted by commas, in UTF-8",
            "1: the first line names no column Domain",
        ],
    ),
    "ragged.csv": ("MailBox,Domain\na,example.com,hunter2\n", ["2: 3 fields, but the first line names 2"]),
    "bomb.xml": (
        '<?xml version="1.0"?>\n<!DOCTYPE lolz [\n<!ENTITY lol "hunter2">\n<!ENTITY lol2 "&lol;&lol;">\n]>\n'
        "<User><Mailbox>&lol2;</Mailbox></User>",
        ["2: a document type, which can be an attack: nothing of the file was read"],
    ),
    "external.xml": (
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><User><Mailbox>&x;</Mailbox></User>',
        ["1: a document type"],
    ),
    "broken.xml": ("<User>\n<Mailbox>hunter2</User>", ["2: this is not well-formed XML"]),
    "second-answer.xml": (
        "<?xml version='1.0'?>\n<A/>\n<?xml\nversion='1.0'?><A>\n<B>hunter2</A>\n",
        ["5: this is not well-formed XML"],
    ),
    "no-user.xml": ("<MDaemon><API>hunter2</API></MDaemon>", ["1: there is no User in it"]),
    "values.xml": (
        "<A>\n<User><Mailbox>a</Mailbox><Domain>b.example</Domain><Protocols><POP>\n<Enabled>hunter2</Enabled>\n"
        "</POP></Protocols></User>\n<User><Mailbox>c</Mailbox></User></A>",
        ["2: a@b.example: Protocols/POP/Enabled is neither Yes nor No", "5: "],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_named(run: Run, path: Path, tmp_path: Path, name: str) -> None:
    content, wanted = BAD[name]
    (tmp_path / name).write_text(content)
    before = path.read_bytes()
    result = run("import", "mdaemon", name)
    assert (result.status, result.out) == (2, "")
    *lines, _ = result.err.splitlines()
    assert len(lines) == len(wanted)
    assert all(line.startswith(f"{name}:{start}") for line, start in zip(lines, wanted, strict=True))
    assert "hunter2" not in result.err
    assert path.read_bytes() == before


def test_without_defusedxml_it_says_what_to_install(program: Run, path: Path, tmp_path: Path) -> None:
    (tmp_path / "defusedxml.py").write_text("raise ImportError\n")
    told = program(
        "import", "mdaemon", XML, env={"PYTHONPATH": str(tmp_path), "MAILPOLICY_FILE": "accounts.toml", "PATH": ""}
    )
    assert (told.status, "pip install 'mailpolicy[mdaemon]'" in told.err) == (5, True)
    csv = program(
        "import", "mdaemon", CSV, env={"PYTHONPATH": str(tmp_path), "MAILPOLICY_FILE": "accounts.toml", "PATH": ""}
    )
    assert csv.status == 0


def test_the_password_is_nowhere(machine: Machine) -> None:
    machine.known.append("hunter2")
    for file in (CSV, XML):
        for more in ((), ("--json",), ("--update", "--verbose")):
            assert machine.run("import", "mdaemon", file, *more).status == 0
    assert machine.calls() == []


def lists(path: Path) -> list[str]:
    return [entry.text for entry in Store.read(str(path)).policy().server.lan_entries]


def test_lan_import(run: Run, path: Path, tmp_path: Path) -> None:
    file = str(FILES / "lan.txt")
    done = run("lan", "import", file)
    assert done.status == 0
    new = ["127.0.*.*", "192.168.*.*", "10.20.0.0/16", "fd00::/8"]
    assert [line.split("\t")[1] for line in done.out.splitlines()] == new
    assert lists(path) == ["10.0.0.0/8", "fd00::/8", "127.0.*.*", "192.168.*.*"]
    assert "\tchanged" not in run("lan", "import", file).out
    (tmp_path / "lan").write_bytes("192.168.7.*\n192.*.1.1\n10/8\n".encode("utf-16"))
    told = run("lan", "import", "lan")
    assert (told.status, [line[:6] for line in told.err.splitlines()]) == (2, ["lan:2:", "lan:3:", "mailpo"])
    assert "192.168.7.*" not in lists(path)


@pytest.mark.parametrize("words", [("lan", "add"), ("network", "add", "branch")])
def test_networks_from_stdin(program: Run, path: Path, words: tuple[str, ...]) -> None:
    def add(text: str) -> Result:
        return program(*words, "-", "172.16.5.0/24", "--file", "accounts.toml", stdin=text)

    assert add("# the office\n192.168.7.0/24\n\n192.168.9.0/24\n").out.count("\tchanged\n") == 3
    text = path.read_text()
    assert all(f'"{network}"' in text for network in ("192.168.7.0/24", "192.168.9.0/24", "172.16.5.0/24"))
    assert add("# nothing\n").status == 0  # one network is an argument
    alone = program(*words, "-", "--file", "accounts.toml")
    assert (alone.status, "stdin names no network: write one a line" in alone.err) == (2, True)
    told = add("192.168.5.0/24\n192.168.7.1/24\n10.0.0.0 255.0.0.0\n")
    assert (told.status, "line 2: " in told.err, "line 3: " in told.err) == (2, True, True)
    assert path.read_text() == text


def test_lan_import_of_another_kind_of_file(run: Run, path: Path, tmp_path: Path) -> None:
    """Of a line that is none of a list only the beginning is repeated."""
    (tmp_path / "lan").write_text("10.0.0.0/8\npassword = precious\nroot:precious:1\n10.0.0.0/8 10.1.0.0/16\n")
    told = run("--file", str(path), "lan", "import", "lan")
    assert told.status == 2
    assert "precious" not in told.err
    assert "lan:2: 'password'... is not a network" in told.err
    assert "lan:3: 'root'... is not a network" in told.err
    assert "10.1.0.0/16" in told.err
