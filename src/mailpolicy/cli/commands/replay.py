"""replay: which logins of a log this policy would refuse; the question to ask before access is narrowed."""

from __future__ import annotations

import os
import stat
import sys
from time import monotonic
from typing import Annotated

import typer

from mailpolicy.cli import line_reader, views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.clients import one_address
from mailpolicy.cli.output import Output, quoted
from mailpolicy.errors import Advice, UsageError
from mailpolicy.policy import names
from mailpolicy.review.replay import MAX_UNKNOWN_NAMES, Replay
from mailpolicy.store.document import without_gc

_GZIP, _XZ, _ZSTD, _BZIP2 = b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"BZh"
_PACKED = {_GZIP: "zcat", _XZ: "xzcat", _ZSTD: "zstdcat", _BZIP2: "bzcat"}
_COLUMNS = ("account", "service", "reason", "refused", "of logins", "from", "last")


def app() -> typer.Typer:
    """The command replay."""
    command = new_app()
    command.command(
        help="Say which logins of the past this policy would refuse, by account.\n\n"
        "LOG is a file or - for stdin: lines ADDRESS PROTOCOL IP [TIME] parted by tabs or blanks, JSON objects with "
        "these keys, or the mail log of Dovecot 2.3 or 2.4 as syslogs, journals and containers keep it. "
        "Against a draft: --file draft.toml. "
        "Exit status: 0, with --fail-on refused 1 where a login would be refused, 2 a log that cannot be read, with "
        "--strict one with a line that is not understood, with --fail-on one without a login that is."
    )(_replay)
    return command


def _replay(
    context: typer.Context,
    log: Annotated[str, typer.Argument(metavar="LOG", help="the log, or - for stdin", show_default=False)],
    strict: Annotated[bool, typer.Option("--strict", help="a broken line is an error and ends the run")] = False,
    default_domain: Annotated[
        str | None, typer.Option("--default-domain", metavar="NAME", help="the domain of user names without an @")
    ] = None,
    failing: Annotated[
        str | None, typer.Option("--fail-on", metavar="refused", help="fail where a login would be refused")
    ] = None,
) -> int:
    out: Output = context.obj
    if failing not in (None, "refused"):
        raise UsageError(f"--fail-on is refused, not {failing!a}")
    try:
        domain = names.domain_name(default_domain) if default_domain is not None else None
    except names.NameRejected as error:
        raise UsageError(f"--default-domain: {error}") from None
    descriptor = line_reader.opened(log)
    try:
        store, policy = views.open_store(out)
        replay = Replay(policy, domain)
        _read(out, log, descriptor, replay, strict=strict)
    finally:
        if log != "-":
            os.close(descriptor)
    _tell(out, log, store.path, replay)
    if not replay.logins:
        told, help_ = f"{log}: no login was understood, so nothing was compared", ("mailpolicy", "replay", "--help")
        if failing is not None:
            raise UsageError(told, code="no-login", fix=help_)
        out.message(Advice(told, help_))
    return int(failing is not None and replay.refused > 0)


def _read(out: Output, log: str, descriptor: int, replay: Replay, *, strict: bool) -> None:
    progress = Progress(descriptor) if out.context.progress else None
    try:
        for part in line_reader.chunks(log, descriptor, lambda start: _refuse_binary(out, log, start)):
            with without_gc():  # many tallies and no cycles; between two parts the collector has its turn
                replay.feed(part)
            if strict and replay.broken:
                number, why = replay.broken[0]
                raise UsageError(why, file=log, line=number, code="broken-line")
            if progress is not None:
                progress.show(replay.lines)
    finally:
        if progress is not None:
            progress.clear()


def _refuse_binary(out: Output, log: str, start: bytes) -> None:
    for magic, command in _PACKED.items():
        if start.startswith(magic):
            packed = "FILE" if log == "-" else quoted(log)
            unpacked = f"{command} < {packed} | {out.command(('mailpolicy', 'replay', '-'))}"
            raise UsageError(f"this is a packed file: {unpacked}", file=log, code="not-a-log")
    line_reader = start.split(b"\n")
    # Of a log some lines may be blocks of zeros, as a power loss leaves them.
    if b"\0" in start and sum(map(_is_text, line_reader[:-1])) < len(line_reader) / 2:
        raise UsageError("this is a binary file, not a log", file=log, code="not-a-log")


def _is_text(line: bytes) -> bool:
    return b"\0" not in line


def _tell(out: Output, log: str, file: str, replay: Replay) -> None:
    refusals = replay.refusals()
    if out.context.format == "json":
        content = {
            "file": file,
            "log": log,
            "lines": replay.lines,
            "logins": replay.logins,
            "refused": replay.refused,
            "accounts": [
                {
                    "address": tally.address,
                    "protocol": str(tally.service),
                    "reason": str(tally.reason),
                    "refused": tally.refused,
                    "logins": tally.logins,
                    "ips": tally.ips,
                    "last": tally.last,
                }
                for tally in refusals
            ],
            "one_address": source._asdict() if (source := replay.dominant_address()) is not None else None,
            "unknown_beyond": replay.untallied,
            "skipped_lines": replay.skipped,
            "broken_lines": replay.broken_lines,
            "broken": [{"line": number, "message": why} for number, why in replay.broken],
        }
        out.json("replay/1", content)
        return
    out.rows(
        _COLUMNS,
        (
            (
                tally.address,
                str(tally.service),
                str(tally.reason),
                str(tally.refused),
                str(tally.logins),
                " ".join(tally.ips),
                tally.last or "-",
            )
            for tally in refusals
        ),
    )
    for number, why in replay.broken:
        out.message(f"{log}:{number}: {why}")
    if (untold := replay.broken_lines - len(replay.broken)) > 0:
        out.message(f"{log}: {names.counted(untold, 'more broken line')}")
    if replay.untallied:
        beyond = names.counted(replay.untallied, "login")
        out.message(f"{log}: {beyond} by more unknown names than {MAX_UNKNOWN_NAMES}, which are counted but not listed")
    out.message(f"{log}: {_summary(replay, len({tally.address for tally in refusals}))}")
    if (source := replay.dominant_address()) is not None:
        out.message(f"{log}: warning: {one_address(source)}")


def _summary(replay: Replay, accounts: int) -> str:
    told = f"{replay.refused} of {names.counted(replay.logins, 'login')} would be refused"
    if replay.refused:
        told += f", for {'more than ' if replay.untallied else ''}{names.counted(accounts, 'account')}"
    if replay.broken_lines:
        told += f"; {names.counted(replay.broken_lines, 'broken line')} not counted"
    return told


class Progress:
    """How far a log has been read, on a line of stderr that is written over and cleared in the end."""

    _EVERY = 0.2  # seconds

    def __init__(self, descriptor: int) -> None:
        facts = os.fstat(descriptor)
        self._size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
        self._descriptor = descriptor
        self._next = monotonic() + self._EVERY
        self._width = 0

    def show(self, count: int) -> None:
        """Say how many lines were read, now and then."""
        if (now := monotonic()) < self._next:
            return
        self._next = now + self._EVERY
        told = names.counted(count, "line")
        if self._size:
            told += f", {min(100, 100 * os.lseek(self._descriptor, 0, os.SEEK_CUR) // self._size)} %"
        self._write(f"\r{told:<{self._width}}")
        self._width = len(told)

    def clear(self) -> None:
        """Take the line away."""
        if self._width:
            self._write(f"\r{'':<{self._width}}\r")

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            return
