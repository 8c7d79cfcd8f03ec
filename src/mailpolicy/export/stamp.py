"""The heading of a generated file, and what became of the file since.

Promises: a change of anything below the heading is noticed. Not promised: protection from somebody who wants to deceive;
the checksum is there for the colleague who edits the wrong file. All targets have # comments.
"""

from __future__ import annotations

import re
from enum import StrEnum
from hashlib import sha256

_HEADING = re.compile(rb"# made by mailpolicy export [a-z-]+;[^\n]*\n# sha256 ([0-9a-f]{64})\n")


HIDDEN = "********"


def hidden(line: str) -> str:
    """A line that is not of a target's own form, as it is shown where secrets may be: not at all, unless it has none."""
    return (
        line if not line.strip() or re.fullmatch(r"# (?:made by mailpolicy .*|sha256 [0-9a-f]{64})", line) else HIDDEN
    )


class State(StrEnum):
    """What a file on disk is, compared with what the policy makes."""

    MISSING = "missing"
    CURRENT = "as the policy says"
    STALE = "not what the policy says"
    EDITED = "edited by hand"
    FOREIGN = "not made by mailpolicy"


def stamped(target: str, body: str) -> bytes:
    """The whole file: a heading that says what it is, with a checksum, and the body."""
    content = body.encode("utf-8")
    heading = f"# made by mailpolicy export {target}; it is replaced, edit accounts.toml instead\n# sha256 "
    return b"".join((heading.encode("ascii"), sha256(content).hexdigest().encode("ascii"), b"\n", content))


def state(there: bytes | None, wanted: bytes) -> State:
    """What `there`, the content on disk, is; None where there is no file."""
    if there is None:
        return State.MISSING
    if there == wanted:
        return State.CURRENT
    heading = _HEADING.match(there)
    if heading is None:
        return State.FOREIGN
    whole = sha256(memoryview(there)[heading.end() :]).hexdigest().encode("ascii") == heading[1]
    return State.STALE if whole else State.EDITED
