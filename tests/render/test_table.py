"""Tables and pages on a terminal: a list stays a table, no other table breaks a word, and nothing of a cell is lost."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from pathlib import Path

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mailpolicy.render.colour import painted
from mailpolicy.render.page import Entry, Section, page
from mailpolicy.render.table import _shortened, table
from tests.helpers import EXAMPLE, MINIMAL, ROOT, TESTS, Expected

words = st.text("abz019.@:/-\u3042\u00e9", min_size=1, max_size=30)
HEADINGS = ("account", "where it is", "smart host login")
cells = st.lists(words, max_size=4).map(" ".join)


@given(st.lists(st.tuples(words, cells, cells), max_size=4), st.integers(20, 200))
def test_every_word_is_whole(rows: list[tuple[str, str, str]], width: int) -> None:
    shown = list(table(HEADINGS, rows, width))
    wanted = Counter(word for row in rows for cell in row for word in cell.split())
    assert wanted <= Counter(" ".join(shown).split())
    assert all(cell_len(line) <= width for line in shown if len(line.split()) > 2), "only a word may be wider"


@given(st.lists(st.tuples(words, cells, cells), max_size=6), st.integers(40, 200))
def test_a_list_is_as_wide_as_the_terminal_and_loses_nothing_but_a_part_of_its_key(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    shown = list(table(HEADINGS, rows, width, of="account"))
    assert all(cell_len(line) <= width for line in shown)
    text = "".join("".join(shown).split())
    for key, *others in rows:
        # A shortened key that looks like another one is wrapped, between the other cells of its row.
        assert "..." in text or not Counter("".join(key.split())) - Counter(text)
        for letter in "".join(others):
            assert letter in text or letter == " "


@pytest.mark.parametrize("count", [2, 5])
def test_what_all_rows_agree_in_is_said_below(count: int) -> None:
    rows = [(f"{number}@example.com", "off", str(number)) for number in range(count)]
    shown = list(table(("address", "pop", "login"), rows, 80, of="account"))
    assert shown[0].split() == ["ADDRESS", "LOGIN"]
    assert shown[-1] == f"The same for {'both' if count == 2 else f'all {count}'} accounts: pop off"
    assert next(table(("address", "pop", "login"), rows[:1], 80, of="account")).split() == [
        "ADDRESS",
        "POP",
        "LOGIN",
    ]


@pytest.mark.parametrize("width", range(4, 12))
def test_wide_characters_are_shortened_too(width: int) -> None:
    shortened = _shortened("\u3042" * 20, width, "...")
    assert "..." in shortened
    assert cell_len(shortened) <= width


def test_only_a_long_address_is_shortened() -> None:
    long = f"{'local' * 12}@mail.department.example.com"
    rows = [("a@example.com", "staff", "LAN only", "relay.a"), (long, "office", "off", "relay.b")]
    first, second = list(table(("address", "template", "pop", "login"), rows, 60, of="account"))[1:]
    assert first.split("  ")[0] == "a@example.com"
    shortened, *others = second.split()
    assert others == ["office", "off", "relay.b"]
    assert long.startswith(shortened.partition("...")[0])
    assert long.endswith(shortened.partition("...")[2])


def test_addresses_that_would_look_the_same_are_not_shortened() -> None:
    names = [f"firstname.lastname@{which}.department.acme.example" for which in ("one", "two", "three")]
    rows = [(name, "staff", "LAN only", f"relay.{index}") for index, name in enumerate(names)]
    shown = list(table(("address", "template", "pop", "login"), rows, 40, of="account"))
    assert all(len(line) <= 40 for line in shown)
    assert not [line for line in shown if "..." in line]
    text = "".join(line.split("  ")[0] for line in shown)
    assert all(which in text for which in ("one", "two", "three"))


def test_nothing_but_text_gets_through() -> None:
    for width in (20, 200):
        shown = "\n".join(table(("a", "b"), [("[red]x[/red]", "a\x1b[2J\u202eb")], width))
        assert "[red]x[/red]" in shown
        assert "a\\x1b[2J\\u202eb" in shown
        told = "\n".join(page([Section("a\x1b", [Entry("b\x07", "c\u202e")])], width, painted))
        assert {"a\\x1b", "b\\x07", "c\\u202e"} <= {
            part.strip("\x1b[10m ") for part in told.replace("  ", "\n").split("\n")
        }


DIFF = "diff a.toml b.toml"
LONG = f"{'information' * 5}@subsidiary.of.the.company.example"
ROWS = [
    ("diff", DIFF),
    ("list", "account list"),
    ("list-search", "account list --search relay --domain acme.example"),
    ("list-suspended", "account list --suspended"),
    ("show", "account show carla@acme.example"),
    ("show-suspended", "account show rosa@acme.example"),
    ("show-closed", "account show odd@acme.example"),
    ("templates", "template list"),
    ("template", "template show contractor"),
    ("sources-none", "multipop source list"),
    ("search-none", "account list --search nobody"),
    ("lan", "lan list"),
    ("who", "who imap"),
    ("check", "check alice@acme.example pop 203.0.113.9"),
]


def terminal(line: str, folder: Path, width: int, **environment: str) -> pexpect.spawn[str]:
    (folder / "a.toml").write_text(MINIMAL)
    (folder / "b.toml").write_text(MINIMAL.replace("pop_lan_only = true", "pop_lan_only = false"))
    if not (folder / "accounts.toml").exists():
        odd = '\n[accounts."odd@acme.example"]\nimap = false\noutlook_connector = true\n'
        suspended = f'\n[accounts."{LONG}"]\nsuspended = true\nimap = true\n'
        (folder / "accounts.toml").write_text(EXAMPLE.read_text() + odd + suspended)
    return pexpect.spawn(
        sys.executable, ["-m", "mailpolicy", *shlex.split(line)], cwd=str(folder), encoding="utf-8", timeout=60,
        dimensions=(40, width), env={"TERM": "xterm", "PAGER": "cat", "LANG": "C.UTF-8", "MAILPOLICY_FILE": "accounts.toml",
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src"), **environment},
    )  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(("name", "line"), ROWS, ids=[name for name, _ in ROWS])
def test_a_terminal_of_that_width(name: str, line: str, width: int, tmp_path: Path, expected: Expected) -> None:
    child = terminal(line, tmp_path, width, NO_COLOR="1")
    child.expect(pexpect.EOF)
    shown = "".join(f"{row}\n" for row in (child.before or "").splitlines())
    expected(TESTS / "terminal" / f"{name}-{width}.txt", shown)
    assert "\x1b" not in shown


DATED = """\
version = 1
[server]
time_zone = "Europe/Berlin"
[accounts."old@acme.example"]
pop = true
expires = 2020-12-31
[accounts."old@acme.example".sources.work]
host = "outlook.office365.com"
login = "old@work.example"
auth = "xoauth2"
token = "microsoft"
[accounts."firstname.lastname@department.acme.example"]
imap = true
expires = 2097-10-30T23:30:00Z
[accounts."firstname.lastname@department.acme.example".temporary]
until = 2097-06-15T01:30:00+05:00
imap_lan_only = true
outlook_connector = false
"""


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("dates-temporary", "temporary list"),
        ("dates-list", "account list"),
        ("dates-show", "account show old@acme.example"),
    ],
)
def test_dates_in_a_terminal_of_that_width(
    name: str, line: str, width: int, tmp_path: Path, expected: Expected
) -> None:
    """Every moment as the clocks of the store show it, and never cut."""
    (tmp_path / "accounts.toml").write_text(DATED)
    test_a_terminal_of_that_width(name, line, width, tmp_path, expected)


def test_colour(tmp_path: Path) -> None:
    for options, environment, wanted in (
        ("", {}, True), ("", {"NO_COLOR": "1"}, False), ("", {"TERM": "dumb"}, False),
        ("--color never", {}, False), ("--color always", {"NO_COLOR": "1"}, True),
    ):  # fmt: skip
        for line in (
            "check carla@acme.example imap 10.0.0.1",
            "account list",
            "validate",
            DIFF,
            "pop off --all --dry-run",
        ):
            child = terminal(f"{line} {options}", tmp_path, 80, **environment)
            child.expect(pexpect.EOF)
            assert ("\x1b[" in (child.before or "")) is wanted, (line, options, environment)


def test_a_pager_shows_long_lists(tmp_path: Path) -> None:
    environment = {"PAGER": "less", "LESS": "M"}
    (tmp_path / "accounts.toml").write_text(
        "version = 1\n" + "".join(f'[accounts."user{number}@example.com"]\n' for number in range(300))
    )
    child = terminal("account list", tmp_path, 80, **environment)
    child.expect_exact("user0@example.com")
    child.expect_exact("lines 1-")
    child.sendintr()  # stops nothing but a search of the pager's
    child.send("G")
    child.expect_exact("user299@example.com")
    child.send("q")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def test_leaving_the_pager_early_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(
        "version = 1\n" + "".join(f'[accounts."user{number}@example.com"]\n' for number in range(20_000))
    )
    child = terminal("account list", tmp_path, 80, PAGER="head -2")
    child.expect(pexpect.EOF)
    child.wait()
    assert (child.exitstatus, len((child.before or "").splitlines())) == (0, 2)


def test_a_pager_that_is_not_there_is_none(tmp_path: Path) -> None:
    child = terminal("account list", tmp_path, 80, PAGER="no-such-pager -x")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert "carla@acme.example" in (child.before or "")
