"""The check of the tokens that sources log in with. No token is made for it."""

from __future__ import annotations

from collections.abc import Iterator

from mailpolicy.cli import machine as host
from mailpolicy.cli.checks.result import ERROR, OK, WARNING, CheckInput, CheckResult
from mailpolicy.errors import Refused
from mailpolicy.policy.names import counted
from mailpolicy.policy.source import Source
from mailpolicy.secrets import tokens
from mailpolicy.store.host import TokenCommand


def check_tokens(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that host.toml has a command for each token that the store names, and that it can be run."""
    used: dict[str, dict[str, Source]] = {}  # by token, the sources by `ADDRESS/NAME`
    for account in machine.store.policy().accounts.values():
        for name, source in account.sources.items():
            if source.token is not None:
                used.setdefault(source.token, {})[f"{account.address}/{name}"] = source
    defined, path = machine.out.machine().settings.tokens, host.path(machine.out.context)
    for token, sources in sorted(used.items()):
        if token in defined:
            yield from _check_command(machine, defined[token], sources, path)
        else:
            first = f"{next(iter(sources))}{f' and {len(sources) - 1} more' if len(sources) > 1 else ''}"
            step = f"add [tokens.{token}] with its command to {path}"
            yield CheckResult(ERROR, f"there is no [tokens.{token}], which {first} needs", step=step)


def _check_command(
    machine: CheckInput, command: TokenCommand, sources: dict[str, Source], path: str
) -> Iterator[CheckResult]:
    is_root, where = machine.out.context.is_root, f"tokens.{command.name}"
    if (found := tokens.unusable(command, is_root=is_root)) is not None:
        reason, fix = found
        yield CheckResult(ERROR, f"{where}: {reason}", fix, step=f"install it, or edit {path}" if fix is None else None)
        return
    refused = False
    for name, source in sources.items():
        try:
            tokens.refuse_destination(command, source)
        except Refused as error:
            refused = True
            yield CheckResult(ERROR, f"{name}: {error.message}", step=f"edit {path} or the source")
    if command.hosts is None:
        step = f"add hosts = [...] with the servers that it may be sent to, in {path}"
        yield CheckResult(WARNING, f"{where}: its token is sent to whatever server the store names", step=step)
    elif not refused:
        yield CheckResult(OK, f"{where}: {command.program}, for {counted(len(sources), 'source')}")
