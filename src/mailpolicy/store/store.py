"""Read a store file: its policy, or every finding about it.

The TOML parser alone decides what the text means, and a store with an error gives no policy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from os import pread
from typing import TYPE_CHECKING

from mailpolicy.diagnostics import Finding, KeyPath, Problem, capped, more_findings
from mailpolicy.errors import FileMissing, StoreError
from mailpolicy.policy.model import Policy, Server
from mailpolicy.policy.names import counted
from mailpolicy.store import schema
from mailpolicy.store.document import Document, without_gc
from mailpolicy.system.files import exists, open_regular, open_trusted, read_all
from mailpolicy.system.trust import Trusted, fix_for_root

if TYPE_CHECKING:
    from mailpolicy.store.index.cache import Cache, Stamp
    from mailpolicy.store.outline import Piece, Subset

MAX_SUBSET_ACCOUNTS = 256  # an edit of more accounts reads the whole store
_MIN_OUTLINE_ACCOUNTS = 50  # for fewer, one scan of the text finds their lines sooner than an outline


class StoreInvalid(StoreError):
    """The store has errors; `findings` are all of them, with their lines."""

    code = "invalid-store"

    def __init__(self, findings: list[Finding]) -> None:
        count, file = len(findings), findings[0].file
        self.findings, left_out = capped(findings)
        more = f" ({more_findings(left_out)})" if left_out else ""
        on_disk = os.path.exists(file)  # not stdin, and not git's
        super().__init__(
            f"the store has {counted(count, 'error')}{more}: fix it first; nothing was decided or changed",
            file=file,
            fix=("mailpolicy", "validate", "--file", file) if on_disk else None,
            content={"findings_left_out": left_out} if left_out else None,
        )


class Store(Document):
    """A store file: a document with a policy.

    Of a large store only a `subset` may have been parsed, for a question or an edit about a few accounts. Text, tree
    and policy are then those of the subset, and lines are still those of the file. `data` is the whole file, except
    after read_for_lookup().
    """

    def __init__(self, path: str, data: bytes, subset: Subset | None = None) -> None:
        super().__init__(path, data)
        self.subset = subset
        self.cache: Cache | None = None  # also None if the store is small
        self._addresses: tuple[str, ...] = ()  # those it was read for
        self._digest: str | None = None  # of the whole file, if it has an index
        self._stamp: Stamp | None = None  # if it would show every later change

    @classmethod
    def read(cls, path: str, cache: Cache | None = None, trusted: Trusted | None = None) -> Store:
        """Read the store file at `path`. Raises StoreError if it cannot be read.

        With `trusted`, raises Refused if users other than those named there, and root, can write it.
        """
        with _open_store(path, trusted) as descriptor:
            return cls._read(path, descriptor, cache)

    @classmethod
    def _read(cls, path: str, descriptor: int, cache: Cache | None) -> Store:
        if cache is None or (before := cache.stamp(descriptor)).size < cache.min_size:
            return cls(path, read_all(descriptor))
        stable = cache.is_stable(descriptor, before)
        store = cls(path, read_all(descriptor))
        store.cache = cache
        store._stamp = before if stable and cache.stamp(descriptor) == before else None
        return store

    @classmethod
    def read_for_lookup(cls, path: str, addresses: Iterable[str], cache: Cache | None) -> Store:
        """Read a store for a question about some accounts; if it has an index, only their lines. Raises StoreError."""
        with _open_store(path) as descriptor:
            if cache is not None and (stamp := cache.stamp(descriptor)).size >= cache.min_size:
                from mailpolicy.store.index import reader  # 4 ms, only for a large store

                subset = reader.subset(
                    cache, path, addresses, stamp, lambda start, end: pread(descriptor, end - start, start)
                )
                # Looked at again: a change between the first stamp and the last read would mix two states of the file.
                if subset is not None and cache.stamp(descriptor) == stamp:
                    store = cls(path, subset.data, subset)
                    if store._validation.policy is not None:
                        return store
            store = cls._read(path, descriptor, cache)
        store.update_index(force=True)
        return store

    @classmethod
    def read_for_edit(cls, path: str, addresses: Iterable[str], cache: Cache | None) -> Store:
        """Read a store for an edit of some accounts, or of anything if none are named. Raises StoreError."""
        return cls.read(path, cache)._narrowed(tuple(addresses))

    def _narrowed(self, addresses: tuple[str, ...]) -> Store:
        """Return a subset of this store with these accounts if it has an index, else the store itself."""
        self._addresses = addresses
        if self.cache is None or not 0 < len(addresses) <= MAX_SUBSET_ACCOUNTS:
            return self
        from mailpolicy.store.index import reader  # 4 ms, only for a large store
        from mailpolicy.system.digests import digest as digest_of

        digest = digest_of(self.data)
        subset = reader.subset_of_content(self.cache, self.path, addresses, self.data, digest)
        narrowed = self.as_subset(subset) if subset is not None else None
        if narrowed is None or narrowed._validation.policy is None:
            return self
        narrowed._digest = digest
        return narrowed

    def as_subset(self, subset: Subset) -> Store:
        """Return this store with only a subset of it to be parsed."""
        store = Store(self.path, self.data, subset)
        store.cache, store._addresses = self.cache, self._addresses
        return store

    def reread(self, descriptor: int | None) -> Store:
        """Return the store as it is now in an open file, or this one if its bytes are the same. Raises StoreError."""
        if descriptor is None:
            raise FileMissing("no such file or directory", file=self.path, fix=("mailpolicy", "init"))
        current = Store._read(self.path, descriptor, self.cache)
        return self if current.data == self.data else current._narrowed(self._addresses)

    def update_index(self, *, force: bool = False) -> None:
        """Index the store if it is large, valid, and would show every later change in its stamp.

        `force` replaces an index that has the right stamp, because it could not be used.
        """
        if self.cache is None or self._stamp is None or self._validation.policy is None:
            return
        from mailpolicy.store.index import reader, writer  # 6 ms, only for a large store

        if force or not reader.is_current(self.cache, self.path, self._stamp):
            writer.write(self.cache, self.path, self._stamp, self.data, self.text)

    def index_replacement(self, content: bytes, growth: Mapping[str, tuple[int, int]] | None) -> None:
        """Index the valid content that was just written in place of this store.

        `growth` maps each edited address to the bytes and lines that its piece has grown by; it is None if anything
        but accounts' own lines has changed.
        """
        if self.cache is None or len(content) < self.cache.min_size:
            return
        from mailpolicy.store.index import writer  # 6 ms, only for a large store

        cache, old = self.cache, self._digest
        stamp = writer.confirmed_stamp(cache, self.path, content)
        if stamp is None:
            return
        if old is None or growth is None or not writer.carry_forward(cache, self.path, old, stamp, content, growth):
            writer.write(cache, self.path, stamp, content, content[len(self.bom) :].decode("utf-8"))

    @property
    def _parsed_bytes(self) -> bytes:
        return self.data if self.subset is None else self.subset.data

    def lines(self, paths: Iterable[KeyPath]) -> dict[KeyPath, int]:
        """Return the line of each key, as Document.lines() does; of many accounts only their own lines are scanned."""
        asked = set(paths)
        by_key: dict[str | int, list[KeyPath]] = {}
        for path in asked:
            if _in_own_table(path):
                by_key.setdefault(path[1], []).append(path)
        if len(by_key) < _MIN_OUTLINE_ACCOUNTS or self.subset is not None:
            return super().lines(asked)
        found: dict[KeyPath, int] = {}
        for key, piece in self._pieces.items():
            if key in by_key:
                found |= self._lines_in(piece, by_key[key])
        return found | super().lines(asked - found.keys())

    def line_finder(self) -> Callable[[KeyPath | None], int | None]:
        """Return a function like line() for very many keys, one by one: of an account it scans only its own lines."""
        known: dict[KeyPath | None, int | None] = {}

        def line(path: KeyPath | None) -> int | None:
            if path not in known:
                piece = self._pieces.get(path[1]) if path is not None and _in_own_table(path) else None
                known[path] = self._lines_in(piece, [path]).get(path) if piece and path else self.line(path)
            return known[path]

        return line

    @cached_property
    def _pieces(self) -> dict[str | int | None, Piece]:
        """Return the piece of each account by its key; empty if the text has no outline."""
        from mailpolicy.store import outline  # 3 ms, only for a large store or a line to print

        found = outline.outline(self.text)
        return {piece.key: piece for piece in found.accounts} if found is not None else {}

    def _lines_in(self, piece: Piece, paths: Iterable[KeyPath]) -> dict[KeyPath, int]:
        from mailpolicy.store import locate  # 2 ms, only to print a line

        text = self.text[piece.start : piece.end]
        found = locate.find(text, paths)
        return {path: piece.line + text.count("\n", 0, entry.start) for path, entry in found.items()}

    def _line_in_file(self, line: int) -> int:
        return line if self.subset is None else self.subset.line(line)

    @cached_property
    def _validation(self) -> schema.Validation:
        if self.faults:
            return schema.Validation(None, self.faults)
        with without_gc():
            return schema.validate(self.tree)

    @property
    def is_valid(self) -> bool:
        """Return whether the store has no error, and so a policy."""
        return self._validation.policy is not None

    def policy(self) -> Policy:
        """Return the policy of the store. Raises StoreInvalid with every error in it."""
        policy, problems, _ = self._validation
        if policy is None:
            raise StoreInvalid(self.located(problems))
        return policy

    @property
    def has_errors(self) -> bool:
        """Return whether the store has no policy."""
        return self._validation.policy is None

    @property
    def draft(self) -> Policy:
        """Return the policy of the parts without an error: for words about a store with errors, never for a verdict."""
        return self._validation.draft or Policy(Server(), {}, {}, {})

    def diagnose(self, ignored: Iterable[str] = (), *, with_hints: bool = False) -> tuple[list[Finding], int]:
        """Return all findings by line, and the number of hints that were left out (none `with_hints`).

        `ignored` are codes to suppress in the whole file; errors cannot be suppressed.
        """
        from mailpolicy.store import suppressions  # 1 ms, only for validate
        from mailpolicy.store.hints import count_hints, hints, hints_of_dates
        from mailpolicy.store.warnings import warnings

        _, problems, policy = self._validation
        problems, left_out = list(problems), 0
        if policy is not None:
            with without_gc():
                dated, policy = policy, policy.undated()  # the same warnings on every day
                groups = list(policy.groups())
                problems += warnings(policy, groups, dated)
                # The parts without an error do not tell what could be removed.
                if not self._validation.problems and with_hints:
                    problems += (*hints(policy), *hints_of_dates(dated))
                elif not self._validation.problems:
                    left_out = count_hints(policy, groups) + len(list(hints_of_dates(dated)))
        if (unsafe := self._unsafe_for_root()) is not None:
            problems.append(unsafe)
        ignored = frozenset(ignored)
        findings = self.located(
            problem for problem in problems if problem.code not in ignored or problem.severity == "error"
        )
        if policy is not None:
            findings = suppressions.suppress(self.path, self.text, findings, with_hints=with_hints)
        return sorted(findings, key=lambda finding: (finding.line, finding.column, finding.problem.code)), left_out

    def _unsafe_for_root(self) -> Problem | None:
        if os.geteuid() != 0 or not exists(self.path, follow=True):
            return None
        cure = fix_for_root(self.path)
        if cure is None:
            return None
        import shlex  # costs start-up

        return Problem("MP039", (), f"users other than root can change this store; run: {shlex.join(cure)}")


def _in_own_table(path: KeyPath) -> bool:
    """Return whether a key is always written in its account's own lines; the sources may stand elsewhere."""
    return path[0] == "accounts" and len(path) in (2, 3) and path[-1] != "sources"


@contextmanager
def _open_store(path: str, trusted: Trusted | None = None) -> Iterator[int]:
    """Open a store file; if it does not exist, the error names the command that creates one."""
    try:
        with open_regular(path) if trusted is None else open_trusted(path, trusted) as descriptor:
            yield descriptor
    except FileMissing as error:
        error.fix = ("mailpolicy", "init")
        raise
