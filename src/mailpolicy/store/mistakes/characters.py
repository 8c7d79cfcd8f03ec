"""Mistakes that a character or the beginning of a line gives away: conflict markers, quotes and spaces of a word processor."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from mailpolicy.store.mistakes.stop import OPEN, Mistake, Stop

_MARKER = re.compile(r"(<{7}|\|{7}|={7}|>{7})(?: [^\n]*)?$", re.MULTILINE)
_SECOND_SIDE = re.compile(r"^(?:\|{7}|={7})(?: [^\n]*)?$", re.MULTILINE)
_END_OF_CONFLICT = re.compile(r"^>{7}(?: [^\n]*)?$", re.MULTILINE)
_DOUBLE, _SINGLE = "“”„‟«»″", "‘’‚‛′`´"
_QUOTES = str.maketrans({**dict.fromkeys(_DOUBLE, '"'), **dict.fromkeys(_SINGLE, "'")})
_ONLY_DOUBLE = str.maketrans(dict.fromkeys(_DOUBLE, '"'))
_COMMENT = re.compile(r"//|--|/\*|;")


def conflict(stop: Stop) -> Iterator[Mistake]:
    """Yield a conflict that git left; the first side is kept."""
    text = stop.text
    start, end = stop.line
    marker = _MARKER.match(text, start)
    if marker is None:
        return
    middle = _SECOND_SIDE.search(text, end) if marker[1] == "<<<<<<<" else None
    last = _END_OF_CONFLICT.search(text, middle.end()) if middle is not None else None
    if middle is not None and last is not None:
        line = text.count("\n", 0, last.start()) + 1
        kept = text[end : middle.start()] + "\n" * text.count("\n", middle.start(), last.end())
        message = (
            f"an unresolved merge conflict, up to line {line}: keep one side and delete the lines "
            "<<<<<<<, ======= and >>>>>>>"
        )
        yield Mistake(start, message, start, last.end(), kept)
    yield Mistake(start, f"{marker[1]} is left over from a merge conflict: delete this line", start, end, "")


def quote(stop: Stop) -> Iterator[Mistake]:
    """Yield a quote that a word processor or a web page made typographic."""
    start, end = stop.line
    at = stop.pos
    if stop.token is not None and stop.token.kind == OPEN:  # opened with an ordinary one, closed with another
        found = [at for at in range(stop.at, end) if stop.text[at] in _DOUBLE + _SINGLE]
        if not found:
            return
        at = found[-1]
    character = stop.text[at : at + 1]
    if not character or character not in _DOUBLE + _SINGLE:
        return
    plain = character.translate(_QUOTES)
    message = f"{character} is a typographic quote: write {plain}"
    line = stop.text[start:end]
    yield Mistake(at, message, start, end, line.translate(_ONLY_DOUBLE if plain == '"' else _QUOTES))


def unseen(stop: Stop) -> Iterator[Mistake]:
    """Yield a space that is none to TOML, or a character that nobody sees."""
    kind = _kind(stop.character)
    if kind not in ("space", "invisible", "control"):
        return
    if stop.character == "\0" and stop.text.count("\0") * 3 > len(stop.text):
        message = "the file looks like UTF-16: save it as UTF-8"
        yield Mistake(stop.pos, message, 0, len(stop.text), "\n" * stop.text.count("\n"))
        return
    code = f"U+{ord(stop.character):04X}"
    name = unicodedata.name(stop.character, "").lower()
    if kind == "space":
        message = f"{'an' if name[0] in 'aeiou' else 'a'} {name} ({code}): write an ordinary space"
    elif kind == "invisible":
        message = f"an invisible character ({code}{f', {name}' if name else ''}): delete it"
    elif stop.character == "\r":
        message = "a carriage return (U+000D) without a line feed: end lines as on Unix or Windows"
    else:
        message = f"a control character ({code}), which TOML does not allow: delete it"
    start, end = stop.line_around(stop.pos)
    line = stop.text[start:end]
    mended = "".join([{"space": " ", "": character}.get(_kind(character), "") for character in line])
    yield Mistake(stop.pos, message, start, end, mended)


def _kind(character: str) -> str:
    """Return `space`, `invisible` or `control` for a character of that kind, "" for visible ones and ordinary blanks."""
    if not character or character in " \t\n":
        return ""
    category = unicodedata.category(character)
    return {"Zs": "space", "Zl": "invisible", "Zp": "invisible", "Cf": "invisible", "Cc": "control"}.get(category, "")


def comment(stop: Stop) -> Iterator[Mistake]:
    """Yield a comment, or a semicolon, as other languages have it."""
    begun = _COMMENT.match(stop.text, stop.pos)
    if begun is None or stop.brackets:
        return
    end = stop.line[1]
    if begun[0] == ";" and not stop.text[begun.end() : end].strip():
        yield Mistake(stop.pos, "TOML has no semicolon at the end of a line: delete it", stop.pos, end, "")
    else:
        yield Mistake(stop.pos, f"{begun[0]} does not start a comment in TOML: write #", stop.pos, end, "")
