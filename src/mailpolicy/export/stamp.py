"""The heading of a generated file, and the state of a file on disk compared with the policy.

The heading has a checksum, so that a change by hand is noticed. It is for somebody who edits the wrong file, not
against deception.
"""

from __future__ import annotations

import re
from enum import StrEnum
from hashlib import sha256

_HEADING = re.compile(rb"(#|--) made by mailpolicy export [a-z-]+;[^\n]*\n\1 sha256 ([0-9a-f]{64})\n")
_COMMENTS = {"sql": "--"}  # how a target begins a comment, if not with #

MASK = "********"


def masked_unless_plain(line: str) -> str:
    """Return a line without a secret as it is, such as the heading; stars for any other line."""
    return line if not line.strip() or re.fullmatch(r"# (?:made by mailpolicy .*|sha256 [0-9a-f]{64})", line) else MASK


def password_masked(pattern: re.Pattern[str], line: str) -> str:
    """Return a line without its password, which follows the first group; a line of another form is masked whole."""
    match = pattern.fullmatch(line)
    return f"{match[1]}{MASK}" if match else masked_unless_plain(line)


class State(StrEnum):
    """The state of a file on disk, compared with the policy."""

    MISSING = "missing"
    CURRENT = "up to date"
    STALE = "out of date"
    EDITED = "edited by hand"
    FOREIGN = "not made by mailpolicy"


def stamped(target: str, body: str) -> bytes:
    """Return the whole file: a heading with the target and a checksum, and the body."""
    content = body.encode("utf-8")
    comment = _COMMENTS.get(target, "#")
    heading = (
        f"{comment} made by mailpolicy export {target}; it is replaced, edit accounts.toml instead\n{comment} sha256 "
    )
    return b"".join((heading.encode("ascii"), sha256(content).hexdigest().encode("ascii"), b"\n", content))


def body_of(target: str, content: bytes) -> str | None:
    """Return the body of a file as `stamped` made it, None for any other content."""
    body = content.split(b"\n", 2)[-1].decode("utf-8", "replace")
    return body if content == stamped(target, body) else None


def state(found: bytes | None, wanted: bytes) -> State:
    """Return the state of a file's content; `found` is None if there is no file."""
    if found is None:
        return State.MISSING
    if found == wanted:
        return State.CURRENT
    heading = _HEADING.match(found)
    if heading is None:
        return State.FOREIGN
    intact = sha256(memoryview(found)[heading.end() :]).hexdigest().encode("ascii") == heading[2]
    return State.STALE if intact else State.EDITED
