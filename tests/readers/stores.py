"""Readers of TOML files: the store with its index, host.toml, and cases."""

from __future__ import annotations

import os
import shlex
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from itertools import islice
from pathlib import Path
from zlib import crc32

from mailpolicy.cli import machine
from mailpolicy.cli.context import Context
from mailpolicy.cli.output import Output
from mailpolicy.diagnostics import Finding
from mailpolicy.policy.model import Policy
from mailpolicy.policy.question import question
from mailpolicy.policy.service import Service
from mailpolicy.policy.verdict import judge
from mailpolicy.render import answer
from mailpolicy.review.case_file import CaseFile
from mailpolicy.review.evaluation import as_of, mismatches, uncovered
from mailpolicy.store import outline
from mailpolicy.store.document import Document
from mailpolicy.store.index import reader as index_reader
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.index.format import _FORMAT, checksum, validator_fingerprint
from mailpolicy.store.index.reader import Index
from mailpolicy.store.store import Store
from mailpolicy.system.digests import digest
from tests.helpers import NOW

PATH = "/nonexistent/accounts.toml"
ADDRESSES = ("alice@example.com", "bob@example.com")
IPS = ("10.1.2.3", "203.0.113.9", "fe80::1")
POLICY_TEXT = """\
version = 1

[server]
edition = "pro"
multipop = true
lan = ["10.0.0.0/8", "192.168.*.*", "fd00::/8"]
govern = ["smtp"]
time_zone = "Europe/Berlin"

[server.smart_host]
host = "smtp.relay.example"
per_account_auth = true

[networks]
branch = ["203.0.113.0/24"]

[defaults]
imap = true

[templates.field]
pop_lan_only = true
extra_lan = ["branch"]

[accounts."alice@example.com"]
pop = true
template = "field"
smart_host_login = "alice"
expires = 2026-12-31

[accounts."alice@example.com".temporary]
until = 2026-12-04
pop_lan_only = false

[accounts."bob@example.com"]
smtp = true
suspended = true
"""


@cache
def folder() -> Path:
    """Return a folder of this process for the readers that read files."""
    kept = tempfile.TemporaryDirectory(prefix="readers-")
    _FOLDERS.append(kept)
    return Path(kept.name)


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


@cache
def policy() -> Policy:
    """Return the policy that rows, logs, questions and cases are held against."""
    return Store(PATH, POLICY_TEXT.encode()).policy()


@cache
def policy_now() -> Policy:
    """Return the same policy as it is at the present moment of the tests."""
    return policy().at(NOW)


def store(out: Output, data: bytes) -> None:
    """Validate a store, then answer questions about some of its accounts."""
    found = Store(PATH, data)
    findings, _ = found.diagnose(with_hints=True)
    _show(out, findings, data)
    assert Store(PATH, data).tree == found.tree or "nan" in repr(found.tree), "parsed again, it is another tree"
    dated = found.policy()
    now = dated.at(NOW)
    for address in (*islice(now.accounts, 2), ADDRESSES[0]):
        _answers(out, now, found, address)
    pieces = outline.outline(found.text)
    if pieces is not None and pieces.accounts:
        first = pieces.accounts[0]
        subset = outline.subset(
            found.data, outline.in_bytes(pieces._replace(accounts=[first]), found.text, len(found.bom)).head
        )
        assert subset.data is not None


def _answers(out: Output, policy: Policy, found: Store, address: str) -> None:
    for service in Service:
        for ip in IPS[:2]:
            verdict = judge(policy, question(address, str(service), ip), lambda: NOW)
            out.lines(answer.lines(verdict, found.path, found.line, lambda: 0, shlex.join, verbose=True))
            out.json("check/1", answer.content(verdict, found.path, found.line, lambda: 0))


def _show(out: Output, findings: list[Finding], data: bytes) -> None:
    lines = data.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    for finding in findings:
        assert 1 <= finding.line <= len(lines), f"a line that the file has not: {finding}"
        assert 1 <= finding.column <= len(lines[finding.line - 1]) + 1, f"a column that its line has not: {finding}"
    out.findings(findings)
    out.json("validate/1", {"findings": [finding.content for finding in findings]})


def host_config(out: Output, data: bytes) -> None:
    """Read host.toml as commands do that need it, with its exports."""
    path = folder() / "host.toml"
    path.write_bytes(data)
    found = machine.read(Context(host_config=str(path)))
    out.lines(f"{one.name} {one.target_name} {one.generated} {one.error}" for one in found.configured)
    out.lines(f"{token.name} {token.for_login('alice')}" for token in found.settings.tokens.values())
    out.lines([str(found.removed_key)])


def cases(out: Output, data: bytes) -> None:
    """Read a file of cases and hold a policy against it."""
    found = CaseFile(Document("cases.toml", data))
    for case in found.cases:
        held = policy_now() if case.at is None else as_of(policy(), case)
        out.lines(f"{found.line(case)}: {wrong.describe(case)}" for wrong in mismatches(held, case))
    out.lines(map(str, uncovered(policy(), found.cases)))


@cache
def _indexed() -> tuple[Path, Cache, bytes, Path]:
    """Return a store with an index, its cache, its content, and the file of the index."""
    path = folder() / "indexed.toml"
    blocks = (f'\n[accounts."user{number:03}@x.example"]\npop = true\n' for number in range(80))
    content = f"{POLICY_TEXT}{''.join(blocks)}".encode()
    path.write_bytes(content)
    os.utime(path, ns=(10**18, 10**18))
    cache = Cache(str(folder() / "cache"), min_size=1, no_writer=lambda _: True, clock=lambda: time.time_ns() + 10**10)
    Store.read_for_lookup(str(path), ADDRESSES, cache)
    return path, cache, content, Path(index_reader.index_path(cache, str(path)))


def index_seeds() -> Iterator[bytes]:
    """Yield the index of a store, and what it has inside its checksums."""
    yield b"\0" + _whole_index()
    with closing(sqlite3.connect(_indexed()[3])) as connection:
        headers = connection.execute("SELECT content FROM about").fetchall()
        blocks = connection.execute("SELECT content FROM block").fetchall()
    yield from (b"\1" + content.partition(b"\n")[2] for (content,) in headers)
    yield from (b"\2" + content for (content,) in blocks)


@cache
def _whole_index() -> bytes:
    return _indexed()[3].read_bytes()


def index(out: Output, data: bytes) -> None:
    """Answer from an index: one of these bytes, or with them inside its checksums, as header or as block."""
    path, cache, content, place = _indexed()
    place.write_bytes(data[1:] if data[:1] == b"\0" else _whole_index())
    if data[:1] not in (b"", b"\0"):
        with closing(sqlite3.connect(place, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            if data[:1] == b"\1":
                header = f"{_FORMAT} {validator_fingerprint()}\n".encode() + data[1:]
                connection.execute("UPDATE about SET content = ?, seal = ?", (header, crc32(header)))
            else:
                seal = checksum("", "user062@x.example", data[1:])
                connection.execute("UPDATE block SET content = ?, seal = ? WHERE first = ''", (data[1:], seal))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        stamp = cache.stamp(descriptor)
        for address in (*ADDRESSES, "user040@x.example", "usr040@x.example"):
            read = index_reader.subset(
                cache, str(path), [address], stamp, lambda start, end: os.pread(descriptor, end - start, start)
            )
            of_content = index_reader.subset_of_content(cache, str(path), [address], content, digest(content))
            for subset in (read, of_content):
                if subset is not None:
                    _answers(
                        out, Store(str(path), subset.data, subset).policy().at(NOW), Store(str(path), content), address
                    )
        index_reader.is_current(cache, str(path), stamp)
        for ask in (
            Index.domains,
            lambda found: list(found.beginning_with("user")),
            lambda found: found.candidates("u"),
        ):
            out.lines(sorted(index_reader.query(cache, str(path), ask) or ()))
    finally:
        os.close(descriptor)
