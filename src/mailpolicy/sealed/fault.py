"""Why a file of sealed secrets is refused: the nearest thing to the truth that its bytes can tell.

Promises: what is named holds the first thing that does not fit; no secret in a message; any bytes get an answer. Not
promised: to tell a change from a removal where both leave the same bytes.
"""

from __future__ import annotations

from io import BytesIO

from mailpolicy.errors import KeyringError
from mailpolicy.sealed.block import guessed_apart, opens, shown
from mailpolicy.sealed.cipher import VERSION, Key, Unsound, check, damaged
from mailpolicy.sealed.content import Opened
from mailpolicy.sealed.front import HEADER, HEADER_SIZE, LINE, LONGEST_INDEX, Block, Header, header

_BEGIN = b"mailpolicy-secrets "


def fault(data: bytes, key: Key) -> KeyringError:
    """Why a content is refused."""
    line = data[:HEADER_SIZE]
    match = HEADER.fullmatch(line)
    if match is None:
        if len(data) < HEADER_SIZE and data[: len(_BEGIN)] == _BEGIN[: len(data)] and data.find(b"\n") < 0:
            return damaged("it is cut off: line 1 is not whole")
        return damaged("this is no file of sealed secrets, or line 1 was changed")
    if match[1] != VERSION:
        return KeyringError("line 1 says that a newer mailpolicy wrote it, or it was changed", code="newer-secrets")
    first = header(line)
    if first.key_id != key.id:
        if _opens(data, key, first._replace(key_id=key.id)):
            return damaged("line 1 was changed: it names another key than the one that it was sealed with")
        return KeyringError(f"it is sealed with the key {first.key_id}, and the key here is {key.id}", code="wrong-key")
    if first.size > LONGEST_INDEX or first.end > len(data):
        return damaged("it is cut off, or line 1 was changed: it says that the file is longer")
    index = data[first.at : first.end]
    try:
        check(key.index, first.seal, first.sealed_part() + index)
    except Unsound:
        return _in_the_index(data, first, key)
    for block, content in _blocks(_listed(index), data):
        if (error := _in_a_block(block, content, key)) is not None:
            return error
    return damaged("its blocks and its index do not fit together")


def _opens(data: bytes, key: Key, first: Header) -> bool:
    try:
        Opened(BytesIO(data), key, first)
    except Unsound:
        return False
    return True


def _listed(index: bytes) -> list[Block]:
    """The lines of an index up to the first that is none."""
    blocks, at = [], 0
    while match := LINE.match(index, at):
        blocks.append(Block(match[1], int(match[2]), int(match[3]), match[4]))
        at = match.end()
    return blocks


def _blocks(lines: list[Block], data: bytes) -> list[tuple[Block, bytes]]:
    blocks, at = [], HEADER_SIZE
    for line in lines:
        blocks.append((line, data[at : at + line.size]))
        at += line.size
    return blocks


def _in_the_index(data: bytes, first: Header, key: Key) -> KeyringError:
    """Line 1 and the index do not fit to each other: the first line of the index that fits to no block, else line 1."""
    lines = _listed(data[first.at : first.end])
    for number, (block, content) in enumerate(_blocks(lines, data), 1):
        if not _holds(block, content, key) or not _fits(block, content):
            return damaged(f"line 1 was changed, or line {number} of its index ({_which(block)})")
    if sum(len(bytes(line)) for line in lines) < first.size:
        return damaged(f"line 1 was changed, or line {len(lines) + 1} of its index")
    return damaged("line 1 was changed, or a line of its index was removed, moved or brought back from an older file")


def _holds(block: Block, content: bytes, key: Key) -> bool:
    try:
        check(key.blocks, block.seal, content)
    except Unsound:
        return False
    return True


def _fits(block: Block, content: bytes) -> bool:
    """Whether a line of the index says of its block what is so."""
    if not block.first:
        return block.names == 0
    entries = guessed_apart(content, block.names)
    return entries is not None and entries.fields[0] == block.first


def _which(block: Block) -> str:
    return f"the block from {shown(block.first)} on" if block.first else "a dead block"


def _in_a_block(block: Block, content: bytes, key: Key) -> KeyringError | None:
    if _holds(block, content, key):
        return None
    entries = guessed_apart(content, block.names) if block.first else None
    if entries is None:
        return damaged(f"{_which(block)} was changed" + (": its names cannot be read" if block.first else ""))
    for field, blob in entries.items():
        if not opens(key, field, blob):
            return damaged(f"the secret {shown(field)} was changed")
    return damaged(f"{_which(block)} was changed, or brought back from an older file")
