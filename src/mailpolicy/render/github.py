"""Annotations as workflow commands of GitHub Actions, a line each.

Promises: whatever a file or an account is called, a line stays one command with the properties given here.
Not promised: that GitHub shows all of them; it shows ten errors, ten warnings and ten notices of a step.
Source: "Workflow commands for GitHub Actions", and the escapes of @actions/core.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailpolicy.diagnostics import ERROR, HINT, WARNING
from mailpolicy.policy.names import printable
from mailpolicy.render.annotation import Annotation

_COMMANDS = {ERROR: "error", WARNING: "warning", HINT: "notice"}


def text(annotations: Iterable[Annotation]) -> str:
    """The commands. The message repeats the place, because the log of a run shows nothing else; it shows it as it is."""
    return "".join(map(_command, annotations))


def _command(note: Annotation) -> str:
    properties = {"file": note.file, "line": note.line, "col": note.column, "title": f"mailpolicy {note.code}"}
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    message = f"{note.file}:{note.line}:{note.column}: {note.code}: {note.message}"
    return f"::{_COMMANDS[note.severity]} {listed}::{_escaped(printable(message))}\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """The text as a property: GitHub finds a file by it, so that only what a terminal would obey is another text."""
    return printable(_escaped(text).replace(":", "%3A").replace(",", "%2C"))
