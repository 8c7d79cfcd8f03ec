"""Ask before a secret is sent to another server or deleted.

Without a terminal, sending it elsewhere is refused unless `--yes` is given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import typer

from mailpolicy.cli.output import Output
from mailpolicy.edit.plan import Plan
from mailpolicy.errors import Refused
from mailpolicy.policy.bindings import Secret
from mailpolicy.policy.names import counted, printable

_SHOWN = 20  # secrets


def ask_to_send(out: Output, moves: Mapping[Secret, Secret], *, yes: bool) -> None:
    """Show the new destinations of secrets and ask for consent. Raises Refused without it."""
    if yes or not moves:
        return
    lines = _listed([describe_move(*move) for move in moves.items()])
    if not out.context.stdin_is_terminal:
        raise Refused(f"nothing was changed: {'; '.join(lines)}; to agree, add --yes", code="needs-yes")
    _confirm(lines, f"Send {_count(moves)} there?")


def ask_to_delete(out: Output, plan: Plan, secrets: Sequence[Secret]) -> bool:
    """Ask on a terminal before secrets are deleted; return whether the user was asked. Raises Refused for a no."""
    if not out.context.can_ask:
        return False
    accounts = len({change.address for change in plan.changes if change.address is not None})
    lines = _listed([f"{secret.owner} would be deleted" for secret in secrets])
    changed = f"Change {counted(accounts, 'account')} in {out.context.file} and delete" if accounts else "Delete"
    _confirm(lines, f"{changed} {_count(secrets)}?")
    return True


def _confirm(lines: list[str], question: str) -> None:
    """Ask for a confirmation, with --quiet too. Raises Refused for a no."""
    if not typer.confirm("\n".join(map(printable, [*lines, question])), err=True):
        raise Refused("nothing was changed", code="not-confirmed-by-user")


def would_send(out: Output, moves: Mapping[Secret, Secret]) -> None:
    """Print the secrets that would be sent elsewhere, for a dry run."""
    for line in _listed([describe_move(*move) for move in moves.items()]):
        out.message(f"{line}, if it is in the keyring (not checked by a dry run); the real run asks, or needs --yes")


def would_delete(out: Output, secrets: Collection[Secret]) -> None:
    """Print the secrets that would be deleted, for a dry run."""
    for line in _listed([str(secret.owner) for secret in secrets]):
        out.message(f"{line} would be deleted, if it is in the keyring (not checked by a dry run)")


def describe_move(before: Secret, after: Secret) -> str:
    """Say where a secret would be sent."""
    return f"{before.owner} would be sent to {after.destination} instead of {before.destination}"


def _count(secrets: Collection[object]) -> str:
    return counted(len(secrets), "password")


def _listed(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _SHOWN else [*lines[:_SHOWN], f"and {len(lines) - _SHOWN} more"]
