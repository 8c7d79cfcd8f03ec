"""Candidates of completion: for each kind of word, without a store too, and the same from an index and from the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailpolicy.cli import command_line, command_tree
from mailpolicy.cli.command_tree import Command
from mailpolicy.cli.completion_values import VALUES
from mailpolicy.store import addresses
from mailpolicy.store.index import reader
from mailpolicy.store.index.cache import Cache, stamping_clock
from mailpolicy.store.store import Store
from tests.helpers import MINIMAL, Run

STORE = (
    MINIMAL
    + """
[templates.contractor]
imap = true
[networks]
home = ["192.0.2.0/24", "198.51.100.7"]
[accounts."zoe@beta.example"]
[accounts."zoe@beta.example".sources.gmx]
host = "pop.gmx.example"
login = "zoe"
"""
)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "accounts.toml").write_text(STORE)
    tokens = "".join(f"[tokens.{name}]\ncommand = ['/bin/true']\n" for name in ("google", "microsoft"))
    named = enumerate(("mpop", r"x\u001b[2J", r"x\ny"))
    exports = "".join(f'[exports."{name}"]\ntarget = "mpop"\npath = "/m/{number}"\n' for number, name in named)
    (tmp_path / "host.toml").write_text(tokens + exports)
    monkeypatch.setenv("MAILPOLICY_FILE", "accounts.toml")
    return tmp_path / "accounts.toml"


def words(run: Run, line: str) -> list[str]:
    done = run("completion", "--line", f"mailpolicy {line}")
    assert (done.status, done.err) == (0, "")
    return [answer.partition("\t")[0] for answer in done.out.splitlines()]


ROWS = [
    ("che", ["check"]),
    ("export dovecot --lo", ["--lock-timeout"]),  # --lock is only there to be refused
    ("account re", ["remove", "rename", "resume"]),
    ("check zo", ["zoe@beta.example"]),
    ("check zoe@beta.example po", ["pop"]),
    ("check -- zo", ["zoe@beta.example"]),
    ("pop on zoe@beta.example zo", []),  # named already
    ("pop on --domain be", ["beta.example"]),
    ("pop on --domain=be", ["--domain=beta.example"]),
    ("pop --json on --with-template con", ["contractor"]),
    ("account add --pop l", ["lan-only"]),
    ("account add new@b", ["new@beta.example"]),
    ("account rename zo", ["zoe@beta.example"]),
    ("account copy zo", ["zoe@beta.example"]),
    ("account copy zoe@beta.example new@be", ["new@beta.example"]),
    ("account set --domain be", ["beta.example"]),
    ("account export --format n", ["ndjson"]),
    ("domain rename be", ["beta.example"]),
    ("apply ", [":files"]),
    ("apply --input-format t", ["toml"]),
    ("import mdaemon ", [":files"]),
    ("import mdaemon --input-format ", ["csv", "xml"]),
    ("lan import ", [":files"]),
    ("template assign con", ["contractor"]),
    ("template assign contractor zo", ["zoe@beta.example"]),
    ("network assign ", ["home"]),
    ("network assign home zo", ["zoe@beta.example"]),
    ("network add h", ["home"]),
    ("network add home ", []),
    ("network remove h", ["home"]),
    ("network remove home 1", ["192.0.2.0/24", "198.51.100.7"]),
    ("network remove other ", []),
    ("network rename ", ["home"]),
    ("network rename home ", []),
    ("network show ", ["home"]),
    ("multipop source remove zoe@beta.example ", ["gmx"]),
    ("multipop source add zoe@beta.example ", []),
    ("multipop source set zoe@beta.example gmx --auth x", ["xoauth2"]),
    ("multipop source set zoe@beta.example gmx --host-config host.toml --token ", ["google", "microsoft"]),
    ("deploy --host-config host.toml ", ["mpop"]),  # not those that a terminal would obey
    ("server set ed", ["edition"]),
    ("server set edition s", ["standard"]),
    ("server set multipop of", ["off"]),
    ("export mp", ["mpop"]),
    ("explain MP001", ["MP001"]),
    ("test --format j", ["json", "junit"]),
    ("lan list --format j", ["json"]),
    ("--file ", [":files"]),
    ("validate ", [":files"]),
    ("--file=", [":files"]),
    ("completion f", ["fish"]),
    ("check zoe@beta.example pop ", []),
    ("no-such-command ", []),
    ("--color maybe check ", []),  # a line that is refused has no candidates
    ("help acc", ["account"]),
    ("help account sh", ["show"]),
    ("help account show ", []),
    ("help no-such ", []),
    ("install --fail", ["--fail-on"]),
]


@pytest.mark.parametrize(("line", "wanted"), ROWS)
def test_each_kind_of_word(run: Run, there: Path, line: str, wanted: list[str]) -> None:
    assert words(run, line) == wanted


@pytest.mark.parametrize("content", [None, b"\xff", b"[server\n", b"accounts = 5\n", b"[accounts]\nx = 1\n"])
def test_a_store_that_cannot_be_read_fails_no_tab(run: Run, there: Path, content: bytes | None) -> None:
    if content is None:
        there.unlink()
    else:
        there.write_bytes(content)
    for line in ("check ", "pop on --domain ", "template show ", "lan remove ", "multipop source remove a@b.example "):
        assert words(run, line) == []
    assert words(run, "che") == ["check"]


def test_a_store_with_errors_still_has_its_accounts(run: Run, there: Path) -> None:
    there.write_text(STORE.replace("imap = true", "imapp = true"))
    assert words(run, "check zo") == ["zoe@beta.example"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mailpolicy ", ["mailpolicy", ""]),
        ("mailpolicy ch", ["mailpolicy", "ch"]),
        ("mailpolicy check 'a b", ["mailpolicy", "check", "a b"]),
        ("mailpolicy check \"o'b", ["mailpolicy", "check", "o'b"]),
        ("mailpolicy check r\\&d", ["mailpolicy", "check", "r&d"]),
        ("mailpolicy check a\\ ", ["mailpolicy", "check", "a "]),
        ("mailpolicy check 'a' ", ["mailpolicy", "check", "a", ""]),
    ],
)
def test_a_line_is_split_as_the_shell_splits_it(line: str, words: list[str]) -> None:
    assert command_line.split_line(line) == words


def test_every_argument_and_option_has_its_kind() -> None:
    """A new metavar must say what completes it, if only that nothing does."""
    unknown = set()

    def walk(command: Command, path: str) -> None:
        for name, below in command.get("commands", {}).items():
            walk(below, f"{path} {name}".strip())
        taken = {name: metavar for name, (metavar, _) in command["options"].items() if metavar is not None}
        for name, metavar in (*taken.items(), *((metavar, metavar) for metavar in command["arguments"])):
            if not {name, metavar, f"{path} {name}"} & VALUES.keys():
                unknown.add((path, name, metavar))

    walk(command_tree.program(), "")
    assert unknown == set()


def test_the_index_gives_what_the_file_gives(tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    names = [f"u{number:03d}@{'ab'[number % 2]}.example" for number in range(500)]
    store.write_text("version = 1\n" + "".join(f'[accounts."{name}"]\npop = true\n' for name in names))
    cache = Cache(
        str(tmp_path / "cache"), clock=lambda: stamping_clock() + 10**10, min_size=0, no_writer=lambda _: True
    )
    Store.read(str(store), cache).update_index()
    assert reader.query(cache, str(store), lambda index: index.header.accounts) == 500
    for prefix in ("", "u", "u1", "u499", "u499@b.example", "x", "u13"):
        for most in (2, 10, 1000):
            plain = addresses.beginning_with(str(store), prefix, most)
            assert addresses.beginning_with(str(store), prefix, most, cache) == plain
            matching = [name for name in names if name.startswith(prefix)]
            assert plain == (matching if len(matching) <= most else [*matching[: most - 1], matching[-1]])
    assert addresses.domains(str(store), cache) == addresses.domains(str(store)) == ["a.example", "b.example"]
