"""The tokens of sources, with the commands in host.toml that make them."""

from __future__ import annotations

from mailpolicy.cli import machine
from mailpolicy.cli.output import Output
from mailpolicy.errors import KeyringError
from mailpolicy.policy.bindings import Owner
from mailpolicy.policy.source import Source
from mailpolicy.secrets import tokens


def make(out: Output, owner: Owner, source: Source) -> str:
    """Return a new token for a source. Raises KeyringError without one, Refused if it must not be made."""
    subject = f"the source {owner.source} of {owner.subject}"
    command = out.machine().settings.tokens.get(source.token or "")
    if command is None:
        raise KeyringError(
            f"there is no [tokens.{source.token}], which makes the token for {subject}: add it, with its command",
            file=machine.path(out.context),
            code="no-token-command",
        )
    return tokens.make(command, source, out.context.token_environment, subject)


def undefined(out: Output, name: str) -> list[str]:
    """Return the note that this machine has no command for a token, or nothing if it has one."""
    if name in out.machine().settings.tokens:
        return []
    return [f"note: {machine.path(out.context)} has no [tokens.{name}], so this machine cannot make the token"]
