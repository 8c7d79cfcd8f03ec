"""The place at which the parser stopped in a text, and the statement it was reading.

The parser has accepted everything before the stop, so a few kinds of token are enough to tell it apart.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import NamedTuple

STRING, OPEN, WORD = "string", "open", "word"
_TOKEN = re.compile(
    r'''
    (?P<string> """(?>(?:[^"\\]++|\\.|"{1,2}(?!"))*)"{3,5} | \'\'\'(?>(?:[^']++|'{1,2}(?!'))*)'{3,5}
      | (?!""") "(?>(?:[^"\\\n]++|\\[^\n])*)" | (?!\'\'\') '[^'\n]*+' )
    | (?P<open> (?:"""|\'\'\').*+ | ["'][^\n]*+ )
    | (?P<gap> [ \t]++ | \#[^\n]*+ )
    | (?P<newline> \n )
    | (?P<mark> [\[\]{},=] )
    | (?P<word> [^ \t\n\[\]{},="'#]++ )
    ''',
    re.VERBOSE | re.DOTALL,
)
# Whole lines of one header or one key with a simple value, which need no look at their tokens.
_PLAIN_LINES = re.compile(
    r"""(?>(?: [ \t]*+ (?> [A-Za-z0-9_-]++ [ \t]*+ = [ \t]*+ (?: [a-z0-9]++ | "[^"\\\n]*+" )
      | \[ [A-Za-z0-9_.-]*+ (?: "[^"\\\n]*+" )? \] |) [ \t]*+ (?> \#[^\n]*+ |) \n )*)""",
    re.VERBOSE,
)
_STATEMENT = re.compile(r"""[ \t]*(?:\[[^\]\n]|["'\w.@+-]+[ \t]*[=:]|<{7}|\|{7}|={7}|>{7})""")
_CLOSES = {"]": "[", "}": "{"}


class Token(NamedTuple):
    """A piece of a statement: a `string`, one that is left `open`, a `word`, or one of the marks []{},= as itself."""

    kind: str
    start: int
    end: int


class Mistake(NamedTuple):
    """An explanation: the place, the sentence with the cure, and which part of the text the cure replaces with which.

    Of something `unfinished` the rest may stand on the next line.
    """

    at: int
    message: str
    start: int
    end: int
    instead: str
    unfinished: bool = False


class Cure(NamedTuple):
    """The number of characters by which a correction made a line longer, from a column on."""

    line: int
    column: int
    grown: int


class Stop:
    """The parser stopped at `pos` of the text, saying `said`, in the statement that begins at `start`.

    `tokens` are those of the statement that are read, `token` the one in which the parser stopped, `brackets` those that
    are open there. `at` is `pos`, but for a quote that is left open: that one, as the parser may have gone on.
    """

    def __init__(self, text: str, pos: int, said: str, before: int = 0, cures: tuple[Cure, ...] = ()) -> None:
        self.text = text
        self.cures = cures
        self.pos = pos
        self.at = min(pos, len(text.rstrip(" \t\n")))  # no mistake stands below the last line
        self.said = said
        self.tokens: list[Token] = []
        self.brackets: list[Token] = []
        self.token: Token | None = None
        self.start = self._scan(before)

    def _scan(self, position: int) -> int:
        """Read the tokens from the statement at `position` up to the stop; return the start of the last statement."""
        line_start = self.text.rfind("\n", 0, self.pos) + 1
        start = position = _PLAIN_LINES.match(self.text, position, line_start).end()  # type: ignore[union-attr]
        while (match := _TOKEN.match(self.text, position)) is not None:
            position = match.end()
            kind = match.lastgroup or ""
            token = Token(match[0] if kind == "mark" else kind, *match.span())
            if kind == OPEN and token.start <= self.pos:
                self.token, self.at = token, token.start
                return start
            if token.end > self.pos:
                self.token = token if kind not in ("gap", "newline") else None
                return start
            if kind == "newline" and not self.brackets:
                start = position = _PLAIN_LINES.match(self.text, position, max(position, line_start)).end()  # type: ignore[union-attr]
                self.tokens = []
            elif kind not in ("gap", "newline"):
                self.tokens.append(token)
                if token.kind in _CLOSES.values():
                    self.brackets.append(token)
                elif token.kind in _CLOSES and self.brackets:
                    self.brackets.pop()
        return start

    @cached_property
    def line(self) -> tuple[int, int]:
        """Return start and end of the line of `at`."""
        return self.line_around(self.at)

    def line_around(self, position: int) -> tuple[int, int]:
        """Return start and end of the line of a position."""
        end = self.text.find("\n", position)
        return self.text.rfind("\n", 0, position) + 1, end if end >= 0 else len(self.text)

    @cached_property
    def number(self) -> int:
        """Return the line of `at`, from 1."""
        return self.text.count("\n", 0, self.at) + 1

    @property
    def begins_statement(self) -> bool:
        """Return whether the line of the stop looks like a header, a key with a value, or a conflict marker."""
        return _STATEMENT.match(self.text, self.line[0]) is not None

    def place(self, at: int) -> tuple[int, int]:
        """Return the line and the column of a position in the text as it was before any cure."""
        at = min(at, len(self.text.rstrip(" \t\n")))
        line, column = self.text.count("\n", 0, at) + 1, at - self.text.rfind("\n", 0, at)
        return line, column - sum([cure.grown for cure in self.cures if cure.line == line and cure.column < column])

    def cured(self, mistake: Mistake) -> tuple[str, tuple[Cure, ...]]:
        """Return the text with the cure of a mistake, and the cures that it now has."""
        text, start, end, instead = self.text, mistake.start, mistake.end, mistake.instead
        cures = self.cures
        if "\n" not in text[start:end]:
            line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
            cures = (*cures, Cure(line, column, len(instead) - (end - start)))
        return text[:start] + instead + text[end:], cures

    @property
    def character(self) -> str:
        """Return the character at which the parser stopped, or "" at the end of the text."""
        return self.text[self.pos : self.pos + 1]

    @property
    def at_end(self) -> bool:
        """Return whether there is nothing but a comment between the stop and the end of its line."""
        before = self.text[self.pos - 1 : self.pos]
        return self.character in ("\n", "") or (self.character == "#" and before in (" ", "\t"))

    @property
    def last(self) -> Token | None:
        """Return the token before the stop."""
        return self.tokens[-1] if self.tokens else None

    @property
    def in_header(self) -> bool:
        """Return whether the statement is the header of a table."""
        return self.text.startswith("[", self._first)

    @property
    def _first(self) -> int:
        first = self.tokens[0] if self.tokens else self.token
        return first.start if first is not None else self.at

    @cached_property
    def key(self) -> list[Token] | None:
        """Return the tokens of the key that is being read, or None if it is not the key of a value."""
        if self.in_header:
            return None
        tokens: list[Token] = []
        for token in reversed(self.tokens):
            if token.kind == "{" or (token.kind == "," and self.brackets and self.brackets[-1].kind == "{"):
                break
            if token.kind not in (WORD, STRING):
                return None
            tokens.append(token)
        return tokens[::-1]

    @property
    def in_list(self) -> bool:
        """Return whether the innermost open bracket is that of a list."""
        return bool(self.brackets) and self.brackets[-1].kind == "[" and not self.in_header

    @property
    def at_value(self) -> bool:
        """Return whether the token of the stop is in the place of a value."""
        last = self.last
        return last is not None and (last.kind == "=" or (self.in_list and last.kind in "[,"))

    def shown(self, token: Token) -> str:
        """Return the text of a token."""
        return self.text[token.start : token.end]
