"""A verdict in words, and as the object that programs read."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Callable
from typing import Any

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.errors import Command
from mailpolicy.policy import Gate
from mailpolicy.verdict import Reason, Verdict

LineOf = Callable[[KeyPath | None], int | None]


def text(verdict: Verdict, file: str, line_of: LineOf, shown: Callable[[Command], str]) -> str:
    """`allow`, or `deny: REASON`, then each reason with its place, then the commands that help in their order.

    `shown` is a command as somebody can paste it.
    """
    if verdict.allowed:
        return "allow\n"
    lines = [f"deny: {verdict.reasons[0].gate}"]
    for reason in verdict.reasons:
        number = line_of(reason.key)
        place = f"{file}:{number}" if number else file
        decided = f" ({_decider(reason)})" if reason.key is not None else ""
        lines.append(f"  {place}: {reason.message}{decided}")
    label = "fix"
    outside = next((reason.fix for reason in verdict.reasons if reason.gate is Gate.OUTSIDE_LAN), None)
    for fix in verdict.fixes:
        if fix == outside:
            # As the LAN would hold it: unwrapped, and without a zone id, which no LAN entry has.
            client = ipaddress.ip_address(verdict.question.packed or b"")
            lines.append(f"  {label}: {shown(('mailpolicy', 'lan', 'add', str(client)))}")
            label = "or"
        lines.append(f"  {label}: {shown(fix)}")
        label = "then"
    helpless = [reason.gate for reason in verdict.reasons if reason.fix is None and reason.key is not None]
    if helpless:
        lines.append(f"  no command about the account alone helps against: {', '.join(helpless)}")
    return "\n".join(lines) + "\n"


def _decider(reason: Reason) -> str:
    key = dotted(reason.key or ())
    return f"{key}, {reason.layer}" if reason.layer is not None else f"{key}, not set"


def content(verdict: Verdict, file: str, line_of: LineOf) -> dict[str, Any]:
    """The verdict as an object, without its schema."""
    question = verdict.question
    return {
        "allowed": verdict.allowed,
        "address": question.address,
        "protocol": str(question.service),
        "ip": question.ip,
        "file": file,
        "reason": verdict.reasons[0].gate if verdict.reasons else None,
        "fixes": [shlex.join(fix) for fix in verdict.fixes],
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
