"""A verdict in words, and as the object that programs read."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.errors import Command
from mailpolicy.policy.names import counted
from mailpolicy.policy.verdict import Grant, Question, Reason, Verdict

LineOf = Callable[[KeyPath | None], int | None]
Count = Callable[[], int]  # how many accounts a new address in the LAN lets in; asked only where that is offered
Shown = Callable[[Command], str]  # a command as somebody can paste it


def lines(verdict: Verdict, file: str, line_of: LineOf, lets_in: Count, shown: Shown, *, verbose: bool) -> list[str]:
    """`allow`, or `deny: REASON`, then each reason with its place, then the commands that help in their order.

    With `verbose` an `allow` says why.
    """
    if verdict.allowed:
        told = ["allow"]
        if verbose and verdict.grant is not None:
            told += _explained(verdict.question, verdict.grant, file, line_of)
        return told
    told = [f"deny: {verdict.reasons[0].gate}"]
    for reason in verdict.reasons:
        decided = f" ({_decider(reason)})" if reason.key is not None else ""
        told.append(f"  {_place(file, line_of(reason.key))}: {reason.message}{decided}")
    return told + _steps(verdict, lets_in, shown)


def _explained(question: Question, grant: Grant, file: str, line_of: LineOf) -> list[str]:
    told = [
        f"  {_place(file, line_of(grant.key))}: {question.address} may use {question.service.label}"
        f" ({dotted(grant.key)}, {grant.layer})"
    ]
    if grant.network is not None:
        key: KeyPath = ("server", "lan", grant.network.position)
        place = _place(file, line_of(key))
        told.append(f"  {place}: {question.ip} is in the LAN, in {grant.network.text} ({dotted(key)}, server)")
    return told


def _steps(verdict: Verdict, lets_in: Count, shown: Shown) -> list[str]:
    """The commands that help, a line each; what differs from line to line stands before the command."""
    steps = [f"  {'then' if number else 'fix'}: {shown(command)}" for number, command in enumerate(verdict.fixes)]
    for command in verdict.alternatives:
        # Behind a shell's comment sign, so that the line can be pasted.
        steps.append(f"  or: {shown(command)}  # lets in {counted(lets_in(), 'account')}")
    return steps + [f"  then, for the whole server: {shown(command)}" for command in verdict.server_fixes]


def _place(file: str, line: int | None) -> str:
    return f"{file}:{line}" if line else file


def _decider(reason: Reason) -> str:
    key = dotted(reason.key or ())
    return f"{key}, {reason.layer}" if reason.layer is not None else f"{key}, not set"


def content(verdict: Verdict, file: str, line_of: LineOf, lets_in: Count) -> dict[str, Any]:
    """The verdict as an object, without its schema."""
    question = verdict.question
    answer: dict[str, Any] = {
        "allowed": verdict.allowed,
        "address": question.address,
        "protocol": str(question.service),
        "ip": question.ip,
        "file": file,
        "reason": verdict.reasons[0].gate if verdict.reasons else None,
        "fixes": [shlex.join(fix) for fix in verdict.fixes],
        "alternatives": [shlex.join(command) for command in verdict.alternatives],
        "server_fixes": [shlex.join(command) for command in verdict.server_fixes],
        "granted_by": None,
        "reasons": [
            {
                "code": reason.gate,
                "message": reason.message,
                "key": dotted(reason.key) if reason.key is not None else None,
                "layer": reason.layer,
                "line": line_of(reason.key),
                "fix": shlex.join(reason.fix) if reason.fix is not None else None,
            }
            for reason in verdict.reasons
        ],
    }
    if verdict.alternatives:
        answer["lets_in"] = lets_in()
    if (grant := verdict.grant) is not None:
        answer["granted_by"] = {
            "key": dotted(grant.key),
            "layer": grant.layer,
            "file": file,
            "line": line_of(grant.key),
            "network": grant.network.text if grant.network is not None else None,
        }
    return answer
