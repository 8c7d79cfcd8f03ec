"""What a person is asked, or a dry run says, before a secret goes where it did not go before, or is gone for good.

Promises: without a terminal nobody is asked: what sends a secret elsewhere is refused, unless it was said to be meant.
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
    """Show where secrets would be sent instead, and ask. Raises Refused where nobody agrees."""
    if yes or not moves:
        return
    lines = _listed([_sent(*move) for move in moves.items()])
    if not out.context.stdin_is_terminal:
        raise Refused(f"nothing was changed: {'; '.join(lines)}; add --yes if that is meant", code="needs-yes")
    _agree(lines, f"let {_count(moves)} go there?")


def ask_to_delete(out: Output, plan: Plan, secrets: Sequence[Secret]) -> bool:
    """At a terminal ask before secrets are gone for good; whether somebody was asked. Raises Refused for a no."""
    if not out.context.can_ask:
        return False
    accounts = len({change.address for change in plan.changes if change.address is not None})
    lines = _listed([f"{secret.owner} would be deleted" for secret in secrets])
    changed = f"change {counted(accounts, 'account')} in {out.context.file} and " if accounts else ""
    _agree(lines, f"{changed}delete {_count(secrets)}?")
    return True


def _agree(lines: list[str], question: str) -> None:
    """Ask, and show what it is about, with --quiet too. Raises Refused."""
    if not typer.confirm("\n".join(map(printable, [*lines, question])), err=True):
        raise Refused("nothing was changed", code="not-confirmed-by-user")


def would_send(out: Output, moves: Mapping[Secret, Secret]) -> None:
    """What a dry run says of secrets that would be sent elsewhere."""
    for line in _listed([_sent(*move) for move in moves.items()]):
        out.message(f"{line}, if the keyring has it: a dry run does not ask it; the real run asks you, or needs --yes")


def would_delete(out: Output, secrets: Collection[Secret]) -> None:
    """What a dry run says of secrets that would be deleted."""
    for line in _listed([str(secret.owner) for secret in secrets]):
        out.message(f"{line} would be deleted, if the keyring has it: a dry run does not ask it")


def _sent(before: Secret, after: Secret) -> str:
    return f"{before.owner} would go to {after.destination} instead of {before.destination}"


def _count(secrets: Collection[object]) -> str:
    return counted(len(secrets), "password")


def _listed(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _SHOWN else [*lines[:_SHOWN], f"and {len(lines) - _SHOWN} more"]
