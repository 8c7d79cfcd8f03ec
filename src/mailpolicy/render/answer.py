"""A verdict as text, and as an object for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.errors import Command
from mailpolicy.policy.names import LAN, counted
from mailpolicy.policy.question import Question
from mailpolicy.policy.verdict import Grant, Reason, Verdict

LineOf = Callable[[KeyPath | None], int | None]
Count = Callable[[], int]  # of the accounts that a new LAN entry lets in; called only if a verdict offers one
Format = Callable[[Command], str]  # a command as a line to paste


def lines(
    verdict: Verdict, file: str, line_of: LineOf, lets_in: Count, format_command: Format, *, verbose: bool
) -> list[str]:
    """Return `allow` or `deny: REASON`, then each reason with its place, then the fixes in the order to run them.

    With `verbose` an `allow` is explained too.
    """
    if verdict.allowed:
        text = ["allow"]
        if verbose and verdict.grant is not None:
            text += _explained(verdict.question, verdict.grant, file, line_of)
        return text
    text = [f"deny: {verdict.reasons[0].gate}"]
    for reason in verdict.reasons:
        decided = f" ({_decider(reason)})" if reason.key is not None else ""
        text.append(f"  {_place(file, line_of(reason.key))}: {reason.message}{decided}")
    return text + _steps(verdict, lets_in, format_command)


def _explained(question: Question, grant: Grant, file: str, line_of: LineOf) -> list[str]:
    text = [
        f"  {_place(file, line_of(grant.key))}: {question.address} may use {question.service.label}"
        f" ({dotted(grant.key)}, {grant.layer})"
    ]
    if (admission := grant.admission) is not None:
        place, key = _place(file, line_of(admission.key)), dotted(admission.key)
        where, source = "the LAN", "server"
        if admission.name is not None:
            where, source = f"the network {admission.name}", f"through {dotted(admission.through or ())}"
        text.append(f"  {place}: {question.ip} is in {where}, in {admission.entry.text} ({key}, {source})")
    return text


def _steps(verdict: Verdict, lets_in: Count, format_command: Format) -> list[str]:
    """Return a line for each fix; any words that differ between the lines stand before the command."""
    steps = [
        f"  {'then' if number else 'fix'}: {format_command(command)}" for number, command in enumerate(verdict.fixes)
    ]
    if verdict.for_now is not None:
        steps.append(f"  or: {format_command(verdict.for_now)}")
    if verdict.lan_fix is not None:
        # The count stands behind a #, so that the line can be pasted into a shell.
        steps.append(f"  or: {format_command(verdict.lan_fix)}  # lets in {counted(lets_in(), 'account')}")
    return steps + [f"  then, for the whole server: {format_command(command)}" for command in verdict.server_fixes]


def _place(file: str, line: int | None) -> str:
    return f"{file}:{line}" if line else file


def _decider(reason: Reason) -> str:
    key = dotted(reason.key or ())
    return f"{key}, {reason.layer}" if reason.layer is not None else f"{key}, not set"


def content(verdict: Verdict, file: str, line_of: LineOf, lets_in: Count) -> dict[str, Any]:
    """Return the verdict as an object, without its schema."""
    import shlex  # 0.5 ms, only for a command to print

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
    if verdict.lan_fix is not None:
        answer["lets_in"] = lets_in()
    if (grant := verdict.grant) is not None:
        answer["granted_by"] = {
            "key": dotted(grant.key),
            "layer": grant.layer,
            "file": file,
            "line": line_of(grant.key),
            "network": grant.admission.entry.text if grant.admission is not None else None,
            "network_name": (grant.admission.name or LAN) if grant.admission is not None else None,
        }
    return answer
