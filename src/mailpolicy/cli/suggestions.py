"""Suggestions for unknown commands: words that people try, and the command line that they probably meant.

The line repeats the arguments that were given, so that it can be pasted. It is only suggested, never run. A word must not
stand for the opposite of its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from mailpolicy.cli.context import OPTIONS
from mailpolicy.cli.vocabulary import NOUNS, VERBS
from mailpolicy.errors import UsageError
from mailpolicy.policy.names import short
from mailpolicy.policy.nearest import nearest
from mailpolicy.policy.service import BY_NAME, GOVERNABLE

_TAKING_AWAY = ("remove", "delete", "disable", "unset", "off", "drop", "rm")
_DID_YOU_MEAN = ". Did you mean '{}'?"
Verbs = Callable[[str], Collection[str]]  # returns the verbs of a noun


def refuse_noun(word: str, rest: Sequence[str], nouns: Collection[str], verbs: Verbs) -> UsageError:
    """Return the error for an unknown command, with the line that was probably meant."""
    swapped = ": the noun comes first, then the verb"
    # Such as `enable pop alice@example.com`.
    if rest and (noun := _noun(rest[0], nouns)) is not None and (verb := _verb(word, verbs(noun))) is not None:
        return _refusal(word, swapped, [noun, verb, *rest[1:]])
    # Such as `suspend alice@example.com`, or just `list`.
    verb = _verb(word, verbs("account"))
    if verb is not None and (verb == "list" or (rest and _is_address(rest[0]))):
        return _refusal(word, swapped, ["account", verb, *rest])
    # Such as `govern smtp`, if just one noun has that verb.
    if len(having := [noun for noun in nouns if word in verbs(noun)]) == 1:
        return _refusal(word, swapped, [having[0], word, *rest])
    if (noun := _noun(word, nouns)) is not None:
        listed = not rest and word.endswith("s") and "list" in verbs(noun)
        return _refusal(word, "", [noun, *(["list"] if listed else rest)])
    if (noun := nearest(word, nouns)) is not None:
        return _refusal(word, _DID_YOU_MEAN.format(noun), [noun, *rest])
    return _refusal(word, "", [])


def refuse_verb(path: str, word: str, rest: Sequence[str], verbs: Collection[str]) -> UsageError:
    """Return the error for an unknown subcommand of the noun `path`, with the line that was probably meant."""
    noun = path.split(" ")[1:]
    if noun == ["server"] and (named := [text for text in (word, *rest) if BY_NAME.get(text) in GOVERNABLE]):
        # Such as `server enable smtp`.
        return _refusal(word, "", [*noun, "ungovern" if word in _TAKING_AWAY else "govern", *named])
    if (verb := _verb(word, verbs)) is not None:
        return _refusal(word, "", [*noun, verb, *rest])
    if (verb := nearest(word, verbs)) is not None:
        return _refusal(word, _DID_YOU_MEAN.format(verb), [*noun, verb, *rest])
    # Such as `pop alice@example.com on`.
    for index, given in enumerate(rest):
        if (verb := _verb(given, verbs)) is not None:
            line = [*noun, verb, word, *rest[:index], *rest[index + 1 :]]
            return _refusal(word, ": the verb comes first, then the target", line)
    if noun == ["server"] and rest:
        return _refusal(word, "", ["server", "set", word.removeprefix("set-"), *rest])
    return _refusal(word, "", [], path)


def _refusal(word: str, why: str, line: Sequence[str], path: str = "mailpolicy") -> UsageError:
    for index, given in enumerate(line):
        if (
            given.partition("=")[0] in OPTIONS
        ):  # it was given after `--`, otherwise it would have been taken as an option
            line = [*line[:index], "--", *line[index:]]
            break
    fix = ("mailpolicy", *line) if line else (*path.split(" "), "--help")
    return UsageError(f"unknown command {short(word)}{why}", fix=fix)


def _noun(word: str, nouns: Collection[str]) -> str | None:
    return word if word in nouns else NOUNS.get(word.lower())


def _verb(word: str, verbs: Collection[str]) -> str | None:
    if word in verbs:
        return word
    return next((verb for verb in VERBS.get(word.lower(), ()) if verb in verbs), None)


def _is_address(text: str) -> bool:
    return "@" in text or text == "-"
