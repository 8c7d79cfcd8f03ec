"""Explain a TOML syntax error: name the mistake and its correction instead of the parser's words.

A correction is suggested only if the parser, given the corrected text, reads on beyond that line; otherwise the message
is the parser's own. The next mistake is looked for in the text with the corrections so far, so one run may not find
all. No value is repeated, because it may be a password in the wrong place. Loaded only for a text that the parser
refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import tomli

from mailpolicy.diagnostics import Problem
from mailpolicy.policy.names import short
from mailpolicy.store.mistakes import characters, keys, quotes, values
from mailpolicy.store.mistakes.stop import OPEN, Cure, Mistake, Stop

MOST = 20  # mistakes of one text: more than anybody corrects before looking again
# Characters given to the parser, so that a large store with many mistakes is not read for minutes.
_MOST_READ = 40_000_000
_MOST_IN_LINE = 8

# What may be wrong, looked for in this order: each looks at the place where the parser stopped, and yields a mistake with
# its cure, or several of which the parser chooses, or nothing.
_EXPLANATIONS: tuple[Callable[[Stop], Iterator[Mistake]], ...] = (
    characters.conflict,
    keys.twice,
    keys.twice_inline,
    characters.quote,
    characters.unseen,
    quotes.backslash,
    quotes.left_open,
    quotes.closed_late,
    keys.address,
    keys.separator,
    characters.comment,
    keys.unquoted,
    keys.unclosed_header,
    values.list_before_statement,
    values.word,
    values.missing_value,
    values.doubled_comma,
    values.parting,
    values.after_value,
)


class _Reader:
    """The parser, and how much it was given to read."""

    def __init__(self) -> None:
        self.read = 0

    def stop(self, text: str, before: int, cures: tuple[Cure, ...]) -> Stop | None:
        """Return the parser's stop, or None if it reads the text; `before` is the start of a statement before it."""
        self.read += len(text)
        try:
            tomli.loads(text)
        except tomli.TOMLDecodeError as error:
            return Stop(text, error.pos, error.msg, before, cures)
        except (
            ValueError,
            RecursionError,
        ):  # a number that is too long, or nesting too deep: reported when all the rest is right
            pass
        return None


def explained(text: str, error: tomli.TOMLDecodeError) -> list[Problem]:
    """Return the mistakes in a text that the parser refused, in their order, each with its place and its cure."""
    reader = _Reader()
    stop: Stop | None = Stop(text.replace("\r\n", "\n"), error.pos, error.msg)  # as the parser read it
    problems: list[Problem] = []
    unfinished = -1  # the line of the mistake before, if the rest of it may stand on the next one
    while stop is not None and len(problems) < MOST and reader.read < _MOST_READ:
        cured = _cured(reader, stop)
        follows = unfinished + 1 == stop.number and not stop.brackets and not stop.begins_statement
        if not follows:
            problems += cured.problems if cured is not None else [_unexplained(stop)]
        unfinished = stop.number if follows or cured is None or cured.unfinished else -1
        stop = cured.following if cured is not None else _without(reader, stop)
    # What is missing may be missed by the parser a little below it, so a mistake can be found after one that stands below.
    return sorted(
        [_in_line(problem, text) for problem in problems[:MOST]], key=lambda problem: problem.position or (1, 1)
    )


def _in_line(problem: Problem, text: str) -> Problem:
    """Return the problem at a place that its line has: a cure before may have joined two lines."""
    line, column = problem.position or (1, 1)
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    end = text.find("\n", start)
    return problem._replace(position=(line, min(column, (end if end >= 0 else len(text)) - start + 1)))


class _Cured(NamedTuple):
    """The mistakes of one line, and the parser's next stop beyond that line."""

    problems: list[Problem]
    following: Stop | None
    unfinished: bool


def _cured(reader: _Reader, stop: Stop, beyond: int = -1, most: int = _MOST_IN_LINE) -> _Cured | None:
    """Return the first explanation whose cure has the parser read on beyond this line; None if there is none.

    Of several cures of one mistake the one that takes the parser furthest. A further mistake of the line is only looked for
    `beyond` the cure of the one before.
    """
    for explanation in _EXPLANATIONS:
        best: _Cured | None = None
        for mistake in explanation(stop):
            if mistake.at <= beyond:
                continue
            cured = _with_cure(reader, stop, mistake, most)
            if cured is not None and (best is None or _further(cured.following, best.following)):
                best = cured
            if best is not None and best.following is None:
                break
        if best is not None:
            return best
    return None


def _with_cure(reader: _Reader, stop: Stop, mistake: Mistake, most: int) -> _Cured | None:
    text, cures = stop.cured(mistake)
    following = reader.stop(text, min(stop.start, mistake.start), cures)
    problem = _problem(stop, mistake.at, mistake.message)
    if following is None or following.number > stop.number:
        return _Cured([problem], following, mistake.unfinished)
    if most and reader.read < _MOST_READ and following.number == stop.number and following.at > mistake.at:
        beyond = mistake.start + len(mistake.instead) - (mistake.end > mistake.start)
        rest = _cured(reader, following, beyond, most - 1)
        if rest is not None:
            return _Cured([problem, *rest.problems], rest.following, rest.unfinished)
    return None


def _further(stop: Stop | None, other: Stop | None) -> bool:
    return other is not None and (stop is None or stop.number > other.number)


def _problem(stop: Stop, at: int, message: str) -> Problem:
    return Problem("MP002", (), message, stop.place(at))


def _unexplained(stop: Stop) -> Problem:
    said = stop.said.splitlines()[0] if stop.said else "invalid"
    return _problem(stop, stop.pos, f"not TOML: {short(said[:1].lower() + said[1:])}")


def _without(reader: _Reader, stop: Stop) -> Stop | None:
    """Return the parser's next stop in the text without this statement, or None if the end of the statement is unknown."""
    start, end = stop.line
    if stop.start < start or (stop.token is not None and stop.token.kind == OPEN):
        return None
    rest = Stop(stop.text[:end] + "\n", end + 1, "", stop.start)
    if rest.token is not None or (rest.brackets and not stop.in_header):
        return None
    instead = keys.another(stop) if stop.in_header else ""
    text, cures = stop.cured(Mistake(stop.at, "", stop.start, end, instead))
    following = reader.stop(text, stop.start, cures)
    return following if following is not None and following.number > stop.number else None
