"""The command check, as Typer parses it; plain.py reads its plainest lines without Typer."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from mailpolicy.cli import answers
from mailpolicy.cli.app import new_app
from mailpolicy.cli.context import parameter_name
from mailpolicy.policy.service import Service


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Tell whether an account may use a protocol from an IP address, and why.\n\n"
        f"Protocols: {', '.join(Service)} (multipop needs no IP). Exit status: 0 allowed, 1 denied."
    )(_check)
    return command


def _check(context: typer.Context, **given: Any) -> int:
    return answers.check(context.obj, **given)


def _signature() -> Signature:
    """Return the signature that Typer is to see, made from the descriptions that plain.py reads too."""
    parameters = [_parameter("context", typer.Context, Parameter.empty)]
    for metavar, text in answers.ARGUMENTS.items():
        argument = typer.Argument(metavar=metavar, help=text, show_default=False)
        parameters.append(_parameter(parameter_name(metavar), Annotated[str | None, argument], None))
    for name, (value, text) in answers.OPTIONS.items():
        option = typer.Option(name, metavar=value, help=text)
        kind, default = (Annotated[bool, option], False) if value is None else (Annotated[str | None, option], None)
        parameters.append(_parameter(parameter_name(name), kind, default))
    return Signature(parameters)


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation, default=default)


_check.__signature__ = _signature()  # type: ignore[attr-defined]
