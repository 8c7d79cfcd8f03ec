"""A store file, read and judged: the reading parser alone says what it holds, and with an error it gives no policy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from os import pread
from typing import TYPE_CHECKING

from mailpolicy.diagnostics import Finding, KeyPath, Problem, capped, more_findings
from mailpolicy.errors import FileMissing, StoreError
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted
from mailpolicy.store import schema
from mailpolicy.store.document import Document, without_gc
from mailpolicy.system.files import is_there, opened, opened_trusted, read_whole
from mailpolicy.system.trust import Trusted, cure_for_root

if TYPE_CHECKING:
    from mailpolicy.store.index.cache import Cache, Stamp
    from mailpolicy.store.outline import Cut, Piece

FEW = 256  # an edit of more accounts reads the whole store
_MANY = 50  # accounts


class StoreInvalid(StoreError):
    """The store has errors; `findings` are all of them, placed."""

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
    """A store file: a document that is judged, and says a policy.

    `cut` is what was put together of a large one for a question or an edit about a few accounts: then text, tree and
    policy are the cut's, which has no other accounts, and the lines are the file's. `data` is the whole file all the
    same, unless it was only looked up.
    """

    def __init__(self, path: str, data: bytes, cut: Cut | None = None) -> None:
        super().__init__(path, data)
        self.cut = cut
        self.cache: Cache | None = None  # None too where the store is small
        self._about: tuple[str, ...] = ()
        self._digest: str | None = None  # the whole file's, where an index was found by it
        self._stamp: Stamp | None = None  # where it tells of every later change

    @classmethod
    def read(cls, path: str, cache: Cache | None = None, trusted: Trusted | None = None) -> Store:
        """Read the store file at `path`. Raises StoreError if it cannot be read.

        If it is going to be obeyed, `trusted` says who else than root may write it; then Refused is raised if others can.
        """
        with _opened(path, trusted) as descriptor:
            return cls._read(path, descriptor, cache)

    @classmethod
    def _read(cls, path: str, descriptor: int, cache: Cache | None) -> Store:
        if cache is None or (before := cache.stamp(descriptor)).size < cache.smallest:
            return cls(path, read_whole(descriptor))
        at_rest = cache.at_rest(descriptor, before)
        store = cls(path, read_whole(descriptor))
        store.cache = cache
        store._stamp = before if at_rest and cache.stamp(descriptor) == before else None
        return store

    @classmethod
    def look_up(cls, path: str, addresses: Iterable[str], cache: Cache | None) -> Store:
        """The store for a question about some accounts: where an index tells where they stand, no more is read of it.

        Raises StoreError.
        """
        with _opened(path) as descriptor:
            if cache is not None and (stamp := cache.stamp(descriptor)).size >= cache.smallest:
                from mailpolicy.store.index import reader  # 4 ms, only for a large store

                cut = reader.cut(
                    cache, path, addresses, stamp, lambda start, end: pread(descriptor, end - start, start)
                )
                if cut is not None and cache.stamp(descriptor) == stamp:
                    store = cls(path, cut.data, cut)
                    if store._reading.policy is not None:
                        return store
            store = cls._read(path, descriptor, cache)
        store.keep_index(anew=True)
        return store

    @classmethod
    def to_edit(cls, path: str, addresses: Iterable[str], cache: Cache | None) -> Store:
        """The store for an edit of some accounts, of any where none is named. Raises StoreError."""
        return cls.read(path, cache)._found(tuple(addresses))

    def _found(self, addresses: tuple[str, ...]) -> Store:
        """This store cut down to some accounts, where an index knows it."""
        self._about = addresses
        if self.cache is None or not 0 < len(addresses) <= FEW:
            return self
        from mailpolicy.store.index import reader  # 4 ms, only for a large store

        digest = reader.digest(self.data)
        cut = reader.cut_content(self.cache, self.path, addresses, self.data, digest)
        found = self.cut_down(cut) if cut is not None else None
        if found is None or found._reading.policy is None:
            return self
        found._digest = digest
        return found

    def cut_down(self, cut: Cut) -> Store:
        """The same file, cut down."""
        store = Store(self.path, self.data, cut)
        store.cache, store._about = self.cache, self._about
        return store

    def again(self, descriptor: int | None) -> Store:
        """Return the store as it is now in an open file, this one if nothing has changed. Raises StoreError."""
        if descriptor is None:
            raise FileMissing("no such file or directory", file=self.path, fix=("mailpolicy", "init"))
        current = Store._read(self.path, descriptor, self.cache)
        return self if current.data == self.data else current._found(self._about)

    def keep_index(self, *, anew: bool = False) -> None:
        """Index the store, where it is large, valid, and its stamp tells of every later change.

        With `anew` also where there is an index already, which could not be used.
        """
        if self.cache is None or self._stamp is None or self._reading.policy is None:
            return
        from mailpolicy.store.index import reader  # 4 ms, only for a large store

        if anew or not reader.is_current(self.cache, self.path, self._stamp):
            _index(self.cache, self.path, self._stamp, self.data, self.text)

    def replaced(self, content: bytes, grown: Mapping[str, tuple[int, int]] | None) -> None:
        """Index what was just written in the place of this store and is known to be valid.

        `grown` says by how many bytes and lines the lines of each account have grown, where only these have changed.
        """
        if self.cache is None or len(content) < self.cache.smallest:
            return
        from mailpolicy.store.index import writer  # 6 ms, only for a large store

        stamp = writer.confirmed(self.cache, self.path, content)
        if stamp is None:
            return
        old = self._digest
        carried = (
            old is not None and grown is not None and writer.carry(self.cache, self.path, old, stamp, content, grown)
        )
        if not carried:
            _index(self.cache, self.path, stamp, content, content[len(self.bom) :].decode("utf-8"))

    @property
    def _parsed_bytes(self) -> bytes:
        return self.data if self.cut is None else self.cut.data

    def lines(self, paths: Iterable[KeyPath]) -> dict[KeyPath, int]:
        """As of any document; where many accounts are asked about, only their own lines are looked at."""
        asked = set(paths)
        of: dict[str | int, list[KeyPath]] = {}
        for path in asked:
            if _own(path):
                of.setdefault(path[1], []).append(path)
        if len(of) < _MANY or self.cut is not None:
            return super().lines(asked)
        found: dict[KeyPath, int] = {}
        for key, piece in self._pieces.items():
            if key in of:
                found |= self._lines_in(piece, of[key])
        return found | super().lines(asked - found.keys())

    def line_of_any(self) -> Callable[[KeyPath | None], int | None]:
        """`line` for very many keys, one by one: of an account only its own lines are looked at."""
        known: dict[KeyPath | None, int | None] = {}

        def line(path: KeyPath | None) -> int | None:
            if path not in known:
                piece = self._pieces.get(path[1]) if path is not None and _own(path) else None
                known[path] = self._lines_in(piece, [path]).get(path) if piece and path else self.line(path)
            return known[path]

        return line

    @cached_property
    def _pieces(self) -> dict[str | int | None, Piece]:
        """The own lines of each account by its key; none where the text is not written so."""
        from mailpolicy.store import outline  # 3 ms, only for a large store or a line to print

        found = outline.outline(self.text)
        return {piece.key: piece for piece in found.accounts} if found is not None else {}

    def _lines_in(self, piece: Piece, paths: Iterable[KeyPath]) -> dict[KeyPath, int]:
        from mailpolicy.store import locate  # 2 ms, only to print a line

        text = self.text[piece.start : piece.end]
        found = locate.find(text, paths)
        return {path: piece.line + text.count("\n", 0, entry.start) for path, entry in found.items()}

    def _line_in_file(self, line: int) -> int:
        return line if self.cut is None else self.cut.line(line)

    @cached_property
    def _reading(self) -> schema.Reading:
        if self.fault is not None:
            return schema.Reading(None, [self.fault])
        with without_gc():
            return schema.read(self.tree)

    def policy(self) -> Policy:
        """The policy of the store. Raises StoreInvalid with every error placed."""
        policy, problems, _ = self._reading
        if policy is None:
            raise StoreInvalid(self.placed(problems))
        return policy

    def diagnose(self, ignored: Iterable[str] = (), *, hints: bool = False) -> tuple[list[Finding], int]:
        """All findings in the order of their places, and how many hints were left out.

        `ignored` are codes to silence in the whole file; errors are never silenced.
        """
        from mailpolicy.store import suppressions, warnings  # 1 ms, only for validate

        _, problems, policy = self._reading
        problems = list(problems)
        left_out = 0
        if policy is not None:
            with without_gc():
                groups = list(policy.alike())
                problems += warnings.warnings(policy, groups)
                if hints:
                    problems += warnings.hints(policy)
                else:
                    left_out = warnings.hint_count(policy, groups)
        if (unsafe := self._unsafe()) is not None:
            problems.append(unsafe)
        silenced = frozenset(ignored)
        findings = self.placed(
            problem for problem in problems if problem.code not in silenced or problem.severity == "error"
        )
        if policy is not None:
            findings = suppressions.applied(self.path, self.text, findings, unused_code_known=hints)
        return sorted(findings, key=lambda finding: (finding.line, finding.column, finding.problem.code)), left_out

    def _unsafe(self) -> Problem | None:
        if os.geteuid() != 0 or not is_there(self.path, follow=True):
            return None
        cure = cure_for_root(self.path)
        if cure is None:
            return None
        import shlex  # costs start-up

        return Problem("MP039", (), f"others than root can change what root obeys here: {shlex.join(cure)}")


def _own(path: KeyPath) -> bool:
    """Whether a key is written in an account's own lines; its sources may be elsewhere."""
    return path[0] == "accounts" and len(path) in (2, 3) and path[-1] != "sources"


@contextmanager
def _opened(path: str, trusted: Trusted | None = None) -> Iterator[int]:
    """Open a store file; if it does not exist, the error says how to make it. Raises StoreError and Refused."""
    try:
        with opened(path) if trusted is None else opened_trusted(path, trusted) as descriptor:
            yield descriptor
    except FileMissing as error:
        error.fix = ("mailpolicy", "init")
        raise


def _index(cache: Cache, path: str, stamp: Stamp, content: bytes, text: str) -> None:
    """Index a valid store, if it is written so that an index can tell where each account stands."""
    import tomli

    from mailpolicy.store import outline  # 3 ms, only for a large store or a line to print
    from mailpolicy.store.index import writer  # 6 ms, only for a large store

    with without_gc():
        found = outline.outline(text)
        if found is None:
            cache.note(f"{path} has no index: it is not written as one table for each account")
            return
        head = "".join([text[piece.start : piece.end] for piece in found.head])
        if not tomli.loads(head).get("accounts"):
            writer.write(cache, path, stamp, content, outline.in_bytes(found, text, len(content) - len(text.encode())))
