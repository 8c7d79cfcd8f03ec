"""Mistakes around values: words that are not values, separators in a list, text after a value."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailpolicy.store.mistakes.stop import STRING, WORD, Mistake, Stop, Token

_YES_OR_NO = ("yes", "no", "on", "off")
_NOTHING = ("null", "none", "nil", "undefined")
_NUMBER_WORDS = ("inf", "nan")
_IP4, _IP6 = (
    r"\d{1,3}(?:\.\d{1,3}){0,2}\.(?:\*|\d{1,3}\.(?:\*|\d{1,3}))",
    "[0-9A-Fa-f:]*(?:::|(?::[0-9A-Fa-f]+){7})[0-9A-Fa-f:.]*",
)
_NETWORK = re.compile(rf"(?:{_IP4}|{_IP6})(?:/\d+|-[0-9A-Fa-f.:]+)?")
_LONGEST_NETWORK = 100  # characters; a longer word is none, and would be tried piece by piece
_MOST_NESTED = 4  # brackets, so that a sentence that names them stays one
_PLAIN_KEY = re.compile(r"""[ \t]*(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*=""")
_NEXT_LINE = re.compile(r"([ \t]*(?:#[^\n]*)?\n\s*)([^\n]+)")
_END_OF_TEXT = re.compile(r"[ \t]#|$", re.MULTILINE)
_END_IN_BRACKETS = re.compile(r"[,\]}]|$", re.MULTILINE)


def word(stop: Stop) -> Iterator[Mistake]:
    """Yield a word that is not a value: true and false as other languages write them, or a text without quotes."""
    token = stop.token
    if token is None or token.kind != WORD or not stop.at_value:
        return
    text = stop.shown(token)
    lower = text.lower()
    if lower in _YES_OR_NO:
        message = f"`{text}` is not a TOML value: write true or false, without quotes"
        yield Mistake(token.start, message, token.start, token.end, "true")
    elif lower in ("true", "false"):
        message = f"`{text}` is not a TOML value: write {lower}, in lower case"
        yield Mistake(token.start, message, token.start, token.end, lower)
    elif lower in _NOTHING:
        message = f"`{text}` is not a TOML value: leave the key out"
        yield Mistake(token.start, message, token.start, token.end, "0")
    elif len(text) <= _LONGEST_NETWORK and _NETWORK.fullmatch(text):
        message = "an IP address or a network must be in quotes"
        yield Mistake(token.start, message, token.start, token.end, f'"{text}"')
    elif text[0].isalpha() and lower not in _NUMBER_WORDS:
        # The text itself is not repeated: it may be a password in the wrong place.
        message = "this is not a TOML value: write true or false, or put a text in quotes"
        end = (_END_IN_BRACKETS if stop.brackets else _END_OF_TEXT).search(stop.text, token.end).start()  # type: ignore[union-attr]
        if "=" not in stop.text[token.start : end]:  # rather the next key
            yield Mistake(token.start, message, token.start, end, '""')


def missing_value(stop: Stop) -> Iterator[Mistake]:
    """Yield a key that is given no value."""
    last = stop.last
    if last is not None and last.kind == "=" and stop.character in ("\n", "#", ""):
        at = last.end
        below = _NEXT_LINE.match(stop.text, at)
        if below is not None:
            lines = "\n" * below[1].count("\n")
            yield Mistake(at, "the value must begin on this line, after =", at, below.end(), f" {below[2]}{lines}")
        yield Mistake(
            at, "the value is missing after =: write one, or leave the key out", at, at, " 0", unfinished=True
        )


def list_before_statement(stop: Stop) -> Iterator[Mistake]:
    """Yield a list that is left open, so that the next header or key is read as one of its values."""
    line_start = stop.line[0]
    above = [bracket for bracket in stop.brackets if bracket.start < line_start]
    if not above or above[-1].kind != "[" or stop.in_header or not stop.begins_statement:
        return
    last = [token for token in stop.tokens if token.start < line_start][-1]
    yield _unclosed(stop, above, last.end)


def _unclosed(stop: Stop, brackets: list[Token], at: int, most: int | None = None) -> Mistake:
    """Return the mistake that brackets are not closed at a place: all of them, or the innermost ones."""
    what = "list" if brackets[-1].kind == "[" else "inline table"
    line = stop.text.count("\n", 0, brackets[-1].start) + 1
    closing = "".join(["]" if bracket.kind == "[" else "}" for bracket in reversed(brackets)][:most])
    return Mistake(at, f"the {what} that begins on line {line} is not closed: write {closing} here", at, at, closing)


def parting(stop: Stop) -> Iterator[Mistake]:
    """Yield a comma or a closing bracket that is missing in a list or an inline table."""
    last = stop.last
    if last is None or stop.in_header or not 0 < len(stop.brackets) <= _MOST_NESTED:
        return
    bracket = stop.brackets[-1]
    what, parts = ("list", "values") if bracket.kind == "[" else ("inline table", "keys")
    if stop.token is not None and last.kind in (STRING, WORD, "]", "}") and last.end <= stop.pos:
        message = f"a comma is missing between two {parts} of the {what}: write it here"
        yield Mistake(last.end, message, last.end, last.end, ",")
    if not stop.character or "\n" in stop.text[last.end : stop.pos]:
        yield _unclosed(stop, stop.brackets, last.end)
        if len(stop.brackets) > 1:
            yield _unclosed(stop, stop.brackets, last.end, most=1)


def doubled_comma(stop: Stop) -> Iterator[Mistake]:
    """Yield a comma in a list that parts nothing."""
    if stop.character == "," and stop.in_list and stop.last is not None and stop.last.kind in "[,":
        yield Mistake(stop.pos, "there is no value before this comma: delete it", stop.pos, stop.pos + 1, " ")


def after_value(stop: Stop) -> Iterator[Mistake]:
    """Yield the text after a complete statement on its line: a comma, a bracket, a second key."""
    last = stop.last
    if last is None or stop.brackets or last.kind == "=":
        return
    end = stop.line[1]
    if stop.character == "]" and last.kind == "]":
        yield Mistake(stop.pos, "one ] too many: delete it", stop.pos, stop.pos + 1, "")
    elif stop.in_header and last.kind == "]" and _PLAIN_KEY.match(stop.text, stop.pos):
        yield Mistake(stop.pos, "a header must be on a line of its own: start a new line here", stop.pos, end, "")
    elif stop.key is not None or stop.in_header:
        return
    elif stop.character == ",":
        value = next(
            (token for before, token in zip(stop.tokens, stop.tokens[1:], strict=False) if before.kind == "="), last
        )
        if stop.text[stop.pos : end].rstrip().endswith("]"):
            yield Mistake(
                value.start, "the [ that begins the list is missing: write it here", value.start, value.start, "["
            )
        yield Mistake(stop.pos, "TOML has no comma at the end of a line: delete it", stop.pos, stop.pos + 1, "")
    elif _PLAIN_KEY.match(stop.text, stop.pos):
        yield Mistake(stop.pos, "only one key per line: start a new line here", stop.pos, end, "")
