"""The command replay: show which past logins this policy would refuse."""

from __future__ import annotations

import os
import stat
import sys
from time import monotonic
from typing import Annotated

import typer

from mailpolicy.cli import line_reader, views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.clients import single_address_warning
from mailpolicy.cli.output import Output
from mailpolicy.cli.streams import quoted
from mailpolicy.cli.when import when
from mailpolicy.cli.when_options import AtOption
from mailpolicy.errors import Advice, UsageError
from mailpolicy.policy import names
from mailpolicy.review.replay import MAX_UNKNOWN_NAMES, Replay
from mailpolicy.store.document import without_gc

_GZIP, _XZ, _ZSTD, _BZIP2 = b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"BZh"
_DECOMPRESSORS = {_GZIP: "zcat", _XZ: "xzcat", _ZSTD: "zstdcat", _BZIP2: "bzcat"}
_COLUMNS = ("account", "service", "reason", "refused", "of logins", "from", "last")


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Show which past logins this policy would refuse, by account.\n\n"
        "LOG is a file or - for stdin: lines ADDRESS PROTOCOL IP [TIME] separated by tabs or spaces, JSON objects with "
        "these keys, or the mail log of Dovecot 2.3 or 2.4 and Postfix from syslog, the journal or a container. "
        "To try a draft: --file draft.toml. "
        "Exit status: 0; 1 with --fail-on refused if a login would be refused; 2 if the log cannot be read, with "
        "--strict if a line is not understood, with --fail-on if it contains no login."
    )(_replay)
    return command


def _replay(
    context: typer.Context,
    log: Annotated[str, typer.Argument(metavar="LOG", help="the log, or - for stdin", show_default=False)],
    strict: Annotated[
        bool, typer.Option("--strict", help="stop with an error at a line that is not understood")
    ] = False,
    default_domain: Annotated[
        str | None, typer.Option("--default-domain", metavar="NAME", help="domain of user names without one")
    ] = None,
    failing: Annotated[
        str | None, typer.Option("--fail-on", metavar="refused", help="fail if a login would be refused")
    ] = None,
    at: AtOption = None,
) -> int:
    out: Output = context.obj
    moment = when("--at", at)
    if failing not in (None, "refused"):
        raise UsageError(f"--fail-on must be refused, not {failing!a}")
    try:
        domain = names.domain_name(default_domain) if default_domain is not None else None
    except names.NameRejected as error:
        raise UsageError(f"--default-domain: {error}") from None
    descriptor = line_reader.open_lines(log)
    try:
        store, policy = views.open_store(out, at=moment)
        replay = Replay(policy, domain)
        _read(out, log, descriptor, replay, strict=strict)
    finally:
        if log != "-":
            os.close(descriptor)
    _report(out, log, store.path, replay)
    if not replay.logins:
        found = "only logins over services that are not governed" if replay.not_governed else "no logins found"
        message, help_page = f"{log}: {found}, nothing was compared", ("mailpolicy", "replay", "--help")
        if failing is not None:
            raise UsageError(message, code="no-login", fix=help_page)
        out.message(Advice(message, help_page))
    return int(failing is not None and replay.refused > 0)


def _read(out: Output, log: str, descriptor: int, replay: Replay, *, strict: bool) -> None:
    progress = Progress(descriptor) if out.context.progress else None
    try:
        for part in line_reader.chunks(log, descriptor, lambda start: _refuse_binary(out, log, start)):
            with without_gc():  # many objects and no cycles; the collector may run between two chunks
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
    for magic, command in _DECOMPRESSORS.items():
        if start.startswith(magic):
            compressed = "FILE" if log == "-" else quoted(log)
            decompress = f"{command} < {compressed} | {out.command(('mailpolicy', 'replay', '-'))}"
            raise UsageError(f"this is a compressed file: {decompress}", file=log, code="not-a-log")
    lines = start.split(b"\n")
    # A power loss can leave blocks of zeros in a log, so a few such lines do not make it a binary file.
    if b"\0" in start and sum(map(_is_text, lines[:-1])) < len(lines) / 2:
        raise UsageError("this is a binary file, not a log", file=log, code="not-a-log")


def _is_text(line: bytes) -> bool:
    return b"\0" not in line


def _report(out: Output, log: str, file: str, replay: Replay) -> None:
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
            "not_governed": dict(sorted(replay.not_governed.items())),
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
    if (more := replay.broken_lines - len(replay.broken)) > 0:
        out.message(f"{log}: {names.counted(more, 'more line')} not understood")
    if replay.untallied:
        beyond = names.counted(replay.untallied, "login")
        out.message(f"{log}: {beyond} by further unknown names not listed; the limit is {MAX_UNKNOWN_NAMES} names")
    for service, count in sorted(replay.not_governed.items()):
        ignored = f"{log}: {names.counted(count, 'login')} over {service} not judged, as the store does not govern it"
        out.message(Advice(ignored, ("mailpolicy", "server", "govern", service)))
    out.message(f"{log}: {_summary(replay, len({tally.address for tally in refusals}))}")
    if (source := replay.dominant_address()) is not None:
        out.message(f"{log}: warning: {single_address_warning(source)}")


def _summary(replay: Replay, accounts: int) -> str:
    text = f"{replay.refused} of {names.counted(replay.logins, 'login')} would be refused"
    if replay.refused:
        text += f", for {'more than ' if replay.untallied else ''}{names.counted(accounts, 'account')}"
    if replay.broken_lines:
        text += f"; {names.counted(replay.broken_lines, 'line')} not understood"
    return text


class Progress:
    """A progress line on stderr that is overwritten, and cleared at the end."""

    _INTERVAL = 0.2  # seconds

    def __init__(self, descriptor: int) -> None:
        facts = os.fstat(descriptor)
        self._size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
        self._descriptor = descriptor
        self._next = monotonic() + self._INTERVAL
        self._width = 0

    def show(self, count: int) -> None:
        """Update the number of lines read, unless the last update was a moment ago."""
        if (now := monotonic()) < self._next:
            return
        self._next = now + self._INTERVAL
        text = names.counted(count, "line")
        if self._size:
            text += f", {min(100, 100 * os.lseek(self._descriptor, 0, os.SEEK_CUR) // self._size)} %"
        self._write(f"\r{text:<{self._width}}")
        self._width = len(text)

    def clear(self) -> None:
        """Clear the line."""
        if self._width:
            self._write(f"\r{'':<{self._width}}\r")

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            return
