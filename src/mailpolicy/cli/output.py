"""The output of a command: data on stdout, messages on stderr. All writing goes through here, and so do its errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from mailpolicy.cli import clock as system_clock
from mailpolicy.cli.context import Context
from mailpolicy.errors import Advice, Command, MailpolicyError, OutputFailed
from mailpolicy.policy.names import json_printable, printable

if TYPE_CHECKING:
    from datetime import datetime

    from mailpolicy.cli.machine import Machine
    from mailpolicy.diagnostics import Finding
    from mailpolicy.policy.dates import Clock
    from mailpolicy.review.guard import Guard
    from mailpolicy.store.index.cache import Cache
    from mailpolicy.system.trust import Trusted


_RECORDS_PER_WRITE = 500


class Output:
    """Writes data and messages in the form that the context asks for."""

    def __init__(self, context: Context, clock: Clock = system_clock.now) -> None:
        self.context = context
        self._clock = clock
        self._now: datetime | None = None
        self._machine: Machine | None = None
        self.change_made = False  # which is said if stdout cannot be written
        self.skipped: set[str] = set()  # options of edits that leave a safeguard of host.toml out

    def now(self) -> datetime:
        """Return the present moment, the same for the whole run; asked only if the store has dates."""
        self._now = self._now or self._clock()
        return self._now

    @property
    def cache(self) -> Cache | None:
        """The cache for the indexes of large stores, or None. It reports with --verbose only."""
        from mailpolicy.store.index.cache import Cache  # 1.5 ms, only for a large store

        return Cache(self.context.cache_folder, self.detail) if self.context.cache_folder is not None else None

    def machine(self) -> Machine:
        """Return the settings in host.toml, read once and validated as a whole. Raises StoreError and Refused."""
        if self._machine is None:
            from mailpolicy.cli import machine  # 4 ms, only for commands that read host.toml

            if self.context.host_config == os.devnull:
                self.caveat(f"note: --host-config {os.devnull}: running without host.toml")
            self._machine = machine.read(self.context)
        return self._machine

    @property
    def trusted(self) -> Trusted:
        """The group that host.toml lets change the store besides root. Raises StoreError and Refused."""
        return self.machine().trusted

    @property
    def without_cases(self) -> bool:
        """Whether the cases that host.toml names were asked to let this edit pass."""
        return "--no-cases" in self.skipped and self.machine().settings.cases is not None

    @cached_property
    def guard(self) -> Guard | None:
        """The cases that edits are held against, or None. Raises StoreError and Refused."""
        if (path := self.machine().settings.cases) is None:
            return None
        if self.without_cases:
            self.caveat(f"note: --no-cases: not held against {path}")
            return None
        from mailpolicy.review.guard import Guard  # 5 ms, only if host.toml names cases

        return Guard(path, self.now)

    def data(self, text: str) -> None:
        """Write text to stdout. Raises BrokenPipeError and OutputFailed."""
        if sys.stdout is None:
            raise self._failed("stdout is closed")
        try:
            sys.stdout.write(text)
        # An OSError too, but not a failure: the reader has seen enough.
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            raise self._failed(f"stdout could not be written: {_reason(error)}") from None

    def flush(self) -> None:
        """Flush stdout. Raises BrokenPipeError and OutputFailed."""
        if sys.stdout is None:
            return
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            raise self._failed(f"stdout could not be written: {_reason(error)}") from None

    def _failed(self, reason: str) -> OutputFailed:
        return OutputFailed(f"{reason}; the change was made" if self.change_made else reason)

    def json(self, schema: str, content: Mapping[str, Any]) -> None:
        """Write a JSON object with its schema, on one line."""
        import json

        text = json_printable(json.dumps({"schema": f"mailpolicy.{schema}", **content}, ensure_ascii=False))
        self.data((text.replace("##[", "##\\u005b") if self.context.in_workflow else text) + "\n")

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines of text; control characters in them are escaped, for a terminal and for GitHub's runner."""
        self.data("".join([f"{self._painted(self._escaped(printable(line)))}\n" for line in lines]))

    def findings(self, findings: Iterable[Finding]) -> None:
        """Write a line for each finding; a terminal also gets the line of the file, if its syntax is the problem."""
        terminal = self.context.stdout_is_terminal
        self.lines(line for finding in findings for line in (str(finding), *self._excerpt(finding, terminal=terminal)))

    def patch(self, text: str) -> None:
        """Write a unified diff: byte for byte to a program, escaped to a terminal and to GitHub's log."""
        if self.context.stdout_is_terminal or self.context.in_workflow:
            lines = text.removesuffix("\n").split("\n") if text else []
            text = "".join(
                [f"{self._painted(self._escaped(_printable_diff_line(line)), hunk=True)}\n" for line in lines]
            )
        self.data(text)

    def rows(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        of: str | None = None,
        optional: str | None = None,
        whole: bool = False,
    ) -> None:
        """Write a table to a terminal; elsewhere one record a line, tab-separated, never wrapped or cut.

        `of` names the things that are listed: then the table says below what is the same for all of them, but with `whole`
        all columns are shown. The column `optional` is left out of a table that is too wide.
        """
        if self.context.draws_tables:
            from mailpolicy.cli import terminal  # 8 ms, only on a terminal

            listed = list(rows)
            if of is not None and not listed:
                self.message(f"no {of}s")
            else:
                terminal.show_table(self.context, self.data, columns, listed, of, optional, whole=whole)
        else:
            # In portions, so that the first rows appear at once and memory stays bounded.
            rows = iter(rows)
            if self.context.headings:
                self.record(columns)
            while part := list(islice(rows, _RECORDS_PER_WRITE)):
                self.records(part)

    def record(self, fields: Sequence[str]) -> None:
        """Write one record: separated by tabs, or by two blanks where tables are drawn."""
        self.records([fields])

    def records(self, rows: Iterable[Sequence[str]]) -> None:
        """Write a record for each row."""
        separator = "  " if self.context.draws_tables else "\t"
        lines = []
        for fields in rows:
            if not "".join(fields).isprintable():
                fields = [printable(field) for field in fields]
            lines.append(separator.join(fields))
        self.data("\n".join([*(self._painted(self._escaped(line)) for line in lines), ""]))

    def _painted(self, line: str, *, hunk: bool = False) -> str:
        if not self.context.color:
            return line
        from mailpolicy.render import colour  # only on a terminal

        return colour.painted_hunk(line) if hunk else colour.painted_line(line)

    def _escaped(self, line: str) -> str:
        """Return a line that GitHub's runner does not take for a command, whatever names it contains.

        The runner reads both streams; `::` at the start of a line and `##[` anywhere are commands to it.
        """
        if not self.context.in_workflow:
            return line
        start = len(line) - len(line.lstrip())
        line = line.replace("##[", "##\\x5b")
        return f"{line[:start]}\\x3a{line[start + 1 :]}" if line.startswith("::", start) else line

    def message(self, text: str | Advice) -> None:
        """Write a message to stderr, as one line, unless --quiet was given."""
        if not self.context.quiet:
            self.caveat(text)

    def caveat(self, text: str | Advice) -> None:
        """Write a message with --quiet too: a safeguard was asked to let this pass."""
        self.flush()  # keeps data and messages in order if both go to the same place
        self._stderr(text if isinstance(text, str) else f"{text.text}: {self.command(text.command)}")

    def shows_results(self, *, dry_run: bool = False) -> bool:
        """Return whether an edit prints its result lines: not with --quiet, except for a dry run and for JSON.

        Output that is the purpose of a command, such as a list, is printed with --quiet too.
        """
        return dry_run or self.context.format == "json" or not self.context.quiet

    def detail(self, text: str | Advice) -> None:
        """Write a message to stderr with --verbose only."""
        if self.context.verbose:
            self.message(text)

    def command(self, command: Command) -> str:
        """Return a command line to paste into a shell; a mailpolicy command repeats --file and the like as given here."""
        from mailpolicy.cli import pasting  # only for a command to print

        return pasting.command_line(self.context, command)

    def usage(self, text: str) -> None:
        """Write a help page to stderr; it stands for an error message, so --quiet does not silence it."""
        for line in text.split("\n"):
            self._stderr(line)

    def failure(self, error: MailpolicyError, about: str | None = None) -> None:
        """Write an error: with --json an object on stdout, else one line on stderr and the command that helps.

        `about` is the file or name that the line begins with; by default the file that the error names.
        """
        findings: list[Finding] = getattr(error, "findings", [])
        if self.context.format == "json":
            from mailpolicy.cli import error_object  # only for an error in JSON

            self.json("error/1", error_object.content(error, self.context.file))
            return
        with suppress(BrokenPipeError, OutputFailed):  # the flush at the end of the run reports it
            self.flush()
        if not error.is_first_finding:
            self._findings_on_stderr(findings)
        if about is None and error.file is None and error.about_store:
            about = self.context.file
        self._stderr(": ".join(["mailpolicy", *([about] if about is not None else []), str(error)]))
        if error.is_first_finding:
            for line in self._excerpt(findings[0], terminal=self.context.stderr_is_terminal):
                self._stderr(line)
            self._findings_on_stderr(findings[1:])
        if error.fix is not None:
            self._stderr(f"  try: {self.command(error.fix)}")

    def _findings_on_stderr(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            for line in (str(finding), *self._excerpt(finding, terminal=self.context.stderr_is_terminal)):
                self._stderr(line)

    def _excerpt(self, finding: Finding, *, terminal: bool) -> list[str]:
        """Return the source line of a finding with a caret, for a person at a terminal; a program or a log gets none."""
        if finding.source is None or not terminal or self.context.dumb or self.context.in_workflow:
            return []
        from shutil import get_terminal_size  # both only for a person, who waits for rich

        from mailpolicy.render import excerpt

        return excerpt.lines(finding.line, finding.column, finding.source, get_terminal_size().columns)

    def _stderr(self, text: str) -> None:
        if sys.stderr is None:
            return
        try:
            line = self._escaped(printable(text))
            if self.context.color_errors:
                from mailpolicy.render import colour  # only on a terminal

                line = colour.painted_message(line)
            print(line, file=sys.stderr, flush=True)
        except (OSError, ValueError):
            return


def _printable_diff_line(line: str) -> str:
    """Return a line with its tabs kept and the carriage return at its end removed."""
    return "\t".join(map(printable, line.removesuffix("\r").split("\t")))


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
