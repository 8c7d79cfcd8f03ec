"""Annotations as workflow commands of GitHub Actions, one per line.

Each stays one command with these properties, whatever a file or an account is called. GitHub shows only ten errors, ten
warnings and ten notices of a step. Source: "Workflow commands for GitHub Actions", and the escapes of @actions/core.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailpolicy.diagnostics import ERROR, HINT, WARNING
from mailpolicy.policy.names import printable
from mailpolicy.render.annotation import Annotation

_COMMANDS = {ERROR: "error", WARNING: "warning", HINT: "notice"}


def text(annotations: Iterable[Annotation]) -> str:
    """Return the commands. The message repeats the place, as the log of a run shows nothing else."""
    return "".join(map(_command, annotations))


def _command(note: Annotation) -> str:
    properties = {"file": note.file, "line": note.line, "col": note.column, "title": f"mailpolicy {note.code}"}
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    message = f"{note.file}:{note.line}:{note.column}: {note.code}: {note.message}"
    return f"::{_COMMANDS[note.severity]} {listed}::{_escaped(printable(message))}\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Return the text as a property, escaped as little as possible: GitHub finds the file by it."""
    return printable(_escaped(text).replace(":", "%3A").replace(",", "%2C"))
