"""The command completion: print the completion script of a shell."""

from __future__ import annotations

from importlib.resources import files as resources
from typing import Annotated

import typer

from mailpolicy.cli import completion
from mailpolicy.cli.app import new_app
from mailpolicy.cli.completion_values import SHELLS
from mailpolicy.cli.output import Output
from mailpolicy.errors import UsageError
from mailpolicy.policy.names import short


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Print the completion script of a shell, for commands, options, accounts, templates and other names.\n\n"
        "bash reads /etc/bash_completion.d if the package bash-completion is installed."
    )(_completion)
    return command


def _completion(
    context: typer.Context,
    shell: Annotated[str | None, typer.Argument(metavar="SHELL", show_default=False, help="bash, zsh or fish")] = None,
    words: Annotated[list[str] | None, typer.Argument(hidden=True, metavar="")] = None,
    line: Annotated[str | None, typer.Option("--line", hidden=True)] = None,
) -> int:
    """Print a script, or the candidates that such a script asks for, by a line (bash) or by words (zsh, fish)."""
    out: Output = context.obj
    if line is not None or shell == "words":
        return completion.answer(out, line=line, words=words)
    if shell not in SHELLS or words:
        problem = "missing shell" if shell is None else f"no completion for {short(shell)}"
        raise UsageError(f"{problem}: use bash, zsh or fish", fix=("mailpolicy", "completion", "bash"))
    out.data(resources("mailpolicy.cli").joinpath("completions", f"mailpolicy.{shell}").read_text(encoding="utf-8"))
    return 0
