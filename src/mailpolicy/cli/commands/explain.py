"""The command explain: explain a code of `validate`, with an example that triggers it and its fix."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.output import Output
from mailpolicy.diagnostics.rules import RULES
from mailpolicy.errors import UsageError
from mailpolicy.policy.model import Gate
from mailpolicy.render import explanation


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Explain a code of validate: why it is reported, an example, and how to fix it. "
        "Without a code, list all codes."
    )(_explain)
    return command


def _explain(
    context: typer.Context,
    codes: Annotated[
        list[str] | None, typer.Argument(metavar="CODE...", help="such as MP012", show_default=False)
    ] = None,
) -> int:
    out: Output = context.obj
    chosen = [_known(code) for code in codes or RULES]
    if out.context.format == "json":
        for code in chosen:
            out.json("rule/1", explanation.content(code, RULES[code]))
    elif codes:
        out.data("\n".join(explanation.text(code, RULES[code]) for code in chosen))
    else:
        out.rows(("code", "severity", "meaning"), [(code, rule.severity, rule.name) for code, rule in RULES.items()])
    return 0


def _known(text: str) -> str:
    """Return the known code for what the user typed. Raises UsageError if there is none."""
    code = text.strip().upper()
    if code in RULES:
        return code
    number = code.removeprefix("MP").lstrip("0")
    near = next((known for known in RULES if known[2:].lstrip("0") == number), None)
    if text.strip().lower() in list(Gate):
        hint = "this is a reason of check, which prints the key that decided and the command that fixes it"
    else:
        hint = f"did you mean {near}?" if near else "mailpolicy explain lists all codes"
    raise UsageError(f"unknown code {text[:60]!a}: {hint}")
