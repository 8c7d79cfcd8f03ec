"""Tables on a terminal: in one of any width no word is broken, and nothing of a cell is lost."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.render.table import drawn
from tests.helpers import MINIMAL

words = st.text("abz019.@:/-\u3042\u00e9", min_size=1, max_size=30)
HEADINGS = ("account", "where it is", "smart host login")
cells = st.lists(words, max_size=4).map(" ".join)


@given(st.lists(st.tuples(cells, cells, cells), max_size=4), st.integers(1, 200))
def test_every_word_is_whole(rows: list[tuple[str, str, str]], width: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        shown = drawn(HEADINGS, rows)
    wanted = Counter(word for row in [*rows, HEADINGS] for cell in row for word in cell.split())
    if "─" not in shown:
        wanted = Counter(word for row in rows for cell in row for word in cell.split())
    assert wanted <= Counter(shown.split())


def test_nothing_but_text_gets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for width in ("20", "200"):
        monkeypatch.setenv("COLUMNS", width)
        shown = drawn(("a", "b"), [("[red]x[/red]", "a\x1b[2J\u202eb")])
        assert "[red]x[/red]" in shown
        assert "a\\x1b[2J\\u202eb" in shown


WIDE = """\
account             service   access    before   after      key
───────────────────────────────────────────────────────────────────────────────────────────────────────────────
alice@example.com   pop       widened   LAN      anywhere   accounts."alice@example.com".pop_lan_only b.toml:18
"""
TALL = """\
account             service   access    before   after      key
────────────────────────────────────────────────────────────────────────────────────────────────────────
alice@example.com   pop       widened   LAN      anywhere   accounts."alice@example.com".pop_lan_only
                                                            b.toml:18
"""
NARROW = """\
alice@example.com
  service: pop
  access:  widened
  before:  LAN
  after:   anywhere
  key:     accounts."alice@example.com".pop_lan_only b.toml:18
"""
NARROWER = """\
alice@example.com
  service: pop
  access:  widened
  before:  LAN
  after:   anywhere
  key:
    accounts."alice@example.com".pop_lan_only
    b.toml:18
"""


@pytest.mark.parametrize(("width", "wanted"), [(120, WIDE), (104, TALL), (80, NARROW), (50, NARROWER), (30, NARROWER)])
def test_a_terminal_of_that_width(width: int, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    (tmp_path / "a.toml").write_text(MINIMAL)
    (tmp_path / "b.toml").write_text(MINIMAL.replace("pop_lan_only = true", "pop_lan_only = false"))
    program = ["-m", "mailpolicy", "diff", "a.toml", "b.toml"]
    child = pexpect.spawn(sys.executable, program, cwd=str(tmp_path), encoding="utf-8", dimensions=(40, width))
    child.expect(pexpect.EOF, timeout=60)
    child.wait()
    shown = child.before or ""
    for style in ("\x1b[1m", "\x1b[0m"):
        shown = shown.replace(style, "")
    assert "\n".join(line.rstrip() for line in shown.splitlines()) == f"{wanted}access widened: 1 account widened"
