"""Read the plainest command lines without Typer, whose import takes longer than most answers.

Only a line that Typer would certainly read in the same way is understood here. All others, such as every mistake, `--help`
and `--`, are left to Typer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mailpolicy.cli.context import parameter_name, split_options
from mailpolicy.cli.output import Output
from mailpolicy.errors import UsageError


def understood(arguments: Sequence[str]) -> Callable[[Output], int] | None:
    """Return the function that carries out a command line, given without the options of every command.

    None if the line is left to Typer.
    """
    match arguments:
        case ["check", *words]:
            return _check(words)
        case ["completion", "--line", line]:  # the script for bash
            return _complete(line=line)
        case ["completion", "--", "words", *words]:  # the scripts for zsh and fish
            return _complete(words=words)
        case [noun, verb, *words] if words and not any(word.startswith("-") or not word for word in words):
            return _switch(noun, verb, words)
    return None


def _check(words: list[str]) -> Callable[[Output], int] | None:
    from mailpolicy.cli import answers  # 10 ms, not for a help page or a mistake

    try:
        options, operands = split_options(words, answers.OPTIONS)
    except UsageError:
        return None
    if len(operands) > len(answers.ARGUMENTS) or any(word.startswith("-") for word in operands):
        return None
    values: dict[str, Any] = dict(zip(map(parameter_name, answers.ARGUMENTS), operands, strict=False))
    for name, value in options.items():
        values[parameter_name(name)] = value if answers.OPTIONS[name][0] is not None else True
    return lambda out: answers.check(out, **values)


def _complete(*, line: str | None = None, words: list[str] | None = None) -> Callable[[Output], int]:
    from mailpolicy.cli import completion

    return lambda out: completion.answer(out, line=line, words=words)


def _switch(noun: str, verb: str, words: list[str]) -> Callable[[Output], int] | None:
    from mailpolicy.policy.service import BY_NAME  # imported by every edit

    service = BY_NAME.get(noun)
    if service is None or noun != service:
        return None
    from mailpolicy.edit.services import Verb  # 10 ms, not for another command or a mistake

    if verb not in list(Verb) or (verb in (Verb.LAN_ONLY, Verb.ANYWHERE) and service.own_lan_switch is None):
        return None
    from mailpolicy.cli import selection, switching

    return lambda out: switching.switch_service(
        out, service, Verb(verb), selection.targets(words, in_defaults=False), until=None, dry_run=False, yes=False
    )
