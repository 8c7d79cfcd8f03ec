"""Names that want to be something else: control sequences, other lines, markup, options, formulas, commands.

`problems` is the bar for what is printed of them; it knows nothing of how mailpolicy escapes.
"""

from __future__ import annotations

import csv
import json
import re
import shlex
import unicodedata
from collections.abc import Callable
from xml.etree import ElementTree

from tests.render.logs import commands

# Everything here can be an argument or a file name; a byte that is no UTF-8 is a surrogate, as in sys.argv.
NAMES = {
    "escape": "\x1b[31mred\x1b]0;title\x07",
    "line": "a\nmailpolicy: all is well\n",
    "return": "a\rb\x08\x08\x7f",
    "c1": "\x9b31m\x85\x90q",
    "override": "\u202egnp.exe\u2066\u2069",
    "invisible": "a\u200b\u200d\ufeff\u00ad\u2060b",
    "ignorable": "a\u034f\u115f\u17b4\u180b\u3164\ufe0f\uffa0\U0001bca0\U0001d173\U000e0100",
    "separators": "a\u2028b\u2029c",
    "tags": "\U000e0001\U000e0041",
    "bytes": "a\udcff\udc80\udce2\udc80",
    "shell": "$(touch owned)`touch owned`;touch owned;'\"",
    "quotes": """'"'"'\\'""",
    "pipe": "a|b||`c``<img src=x onerror=alert(1)>@team [x](http://x)",
    "formula": "=cmd|' /C calc'!A0",
    "sum": "+1+1",
    "at": "@SUM(A1)",
    "minus": "-1+1",
    "help": "--help",
    "option": "-rf",
    "option with value": "--file=/dev/null",
    "script": "</script><script>alert(1)</script>",
    "cdata": "]]><x>&amp;&#0;<!--",
    "workflow": "::error file=x::broken",
    "workflow line": "a\n::add-mask::b\r::stop-commands::c",
    "old workflow": "##[add-mask]x",
    "percent": "%0A%0D::error::x%25",
    "format": "%s%n%(a)s{0}{0.__class__}{x}",
    "toml": '"]\n[server]\nmultipop = true #',
    "path": "../../../../etc/passwd",
    "right to left": "דוגמה\u200f.אבג",
    "long": "a" * 3000,
    "blank": " ",
    "tab": "a\tb\tc",
    "markdown": "| --- |\n<br>",
    "comma": 'a,"b",c;d',
    "colon": "a:b::c",
    "backslash": "\\x1b[31m\\n\\",
}
# Format characters that are signs of a script, which everybody sees.
_VISIBLE = "[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd]"
# Those that nobody sees, although they are letters or marks. Source: Unicode, DerivedCoreProperties, Default_Ignorable.
_IGNORABLE = (
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)


def unsafe(text: str) -> list[str]:
    """Return the characters that must not reach a terminal or a log."""
    found = {
        character
        for character in set(text) - {"\n"}
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and not re.match(_VISIBLE, character)
    }
    return sorted(f"U+{ord(character):04X}" for character in found | set(re.findall(_IGNORABLE, text)))


def problems(out: bytes, err: bytes, form: str, *, is_file: bool = False) -> list[str]:
    """Return what is wrong with an output in a form (text, json, github, ...); a file of another program has its own rules."""
    found = []
    if form == "screen":
        out = out.replace(b"\r\n", b"\n")  # which the terminal makes
    try:
        shown = {"stdout": "" if is_file else out.decode(), "stderr": err.decode()}
    except UnicodeDecodeError as error:
        return [f"not UTF-8: {error}"]
    for name, text in shown.items():
        # A tab is what parts the fields of a record.
        if wrong := set(unsafe(text)) - ({"U+0009"} if name == "stdout" else set()):
            found.append(f"{name} has {wrong}")
    if any(crash in text for crash in ("Traceback", "internal error") for text in shown.values()):
        found.append("a crash")
    if form in _PARSERS and out and not is_file:
        try:
            _PARSERS[form](shown["stdout"])
        except (ValueError, AssertionError, ElementTree.ParseError) as error:
            found.append(f"not {form}: {error!r}")
    if form == "workflow":
        found += [f"a workflow command: {line[:80]}" for line in _runner_commands(shown["stdout"] + shown["stderr"])]
    # A terminal may wrap a command.
    shown = {} if form == "screen" else shown
    for command in re.findall("^  (?:try|fix|or): (.*)$", "\n".join(shown.values()), re.MULTILINE):
        try:
            shlex.split(command, comments=True)
        except ValueError as error:
            found.append(f"a command that no shell reads: {command[:80]}: {error}")
    return found


def _runner_commands(text: str) -> list[str]:
    """Return the lines that GitHub's runner takes for commands."""
    lines = re.split("\r\n|\r|\n", text)
    return [line for line in lines if line.lstrip().startswith("::") or "##[" in line]


def _json_lines(text: str) -> None:
    for line in text.removesuffix("\n").split("\n"):
        content = json.loads(line)
        assert isinstance(content, dict), "an object"
        for fix in [content.get("fix"), *(content.get("fixes") or [])]:
            if fix is not None:
                assert shlex.split(fix), "a command"


def _sarif(text: str) -> None:
    (run,) = json.loads(text)["runs"]
    assert run["tool"]["driver"]["name"] == "mailpolicy"


def _csv(text: str) -> None:
    rows = list(csv.reader(text.splitlines(keepends=True), strict=True))
    assert len({len(row) for row in rows}) <= 1, "as many cells in each row"


def _markdown(text: str) -> None:
    """A table: as many cells in each row, counted as GitHub does, which splits cells before it looks for code."""
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1, rows
    assert "<script" not in re.sub("(`+).*?\\1", "", text)


def _github(text: str) -> None:
    assert all(command[0] in ("error", "warning", "notice") for command in commands(text))


_PARSERS: dict[str, Callable[[str], object]] = {
    "json": _json_lines,
    "sarif": _sarif,
    "junit": ElementTree.fromstring,
    "csv": _csv,
    "ndjson": _json_lines,
    "markdown": _markdown,
    "github": _github,
}
