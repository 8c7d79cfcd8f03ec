"""What a command says: data on stdout, messages on stderr.

Promises: a stdout that cannot be written is noticed here and nowhere else. Not promised: order between the two.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from mailpolicy.cli.context import Context, split
from mailpolicy.errors import Advice, Command, MailpolicyError, OutputFailed, StoreError, UsageError
from mailpolicy.policy.names import json_printable, printable

if TYPE_CHECKING:
    from mailpolicy.cli.machine import Machine
    from mailpolicy.diagnostics import Finding
    from mailpolicy.store.index.cache import Cache
    from mailpolicy.system.trust import Trusted


_AT_ONCE = 500  # records
_STORELESS = ("diff", "explain", "schema")  # commands that read neither the store nor host.toml


class Output:
    """The two streams, as the surroundings want them."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._machine: Machine | None = None

    @property
    def cache(self) -> Cache | None:
        """Where the indexes of large stores are, None for nowhere; it speaks only with --verbose."""
        from mailpolicy.store.index.cache import Cache  # 1.5 ms, only for a large store

        return Cache(self.context.cache_folder, self.detail) if self.context.cache_folder is not None else None

    def machine(self) -> Machine:
        """What host.toml says of this machine; read once, and judged whole. Raises StoreError and Refused."""
        if self._machine is None:
            from mailpolicy.cli import machine  # 4 ms, only for commands that read host.toml

            if self.context.host_config == os.devnull:
                self.message(f"note: --host-config {os.devnull}: this run goes by no host.toml")
            self._machine = machine.read(self.context)
        return self._machine

    @property
    def trusted(self) -> Trusted:
        """Whom root trusts with the store besides itself, as host.toml says. Raises StoreError and Refused."""
        return self.machine().trusted

    def data(self, text: str) -> None:
        """Write to stdout. Raises BrokenPipeError and OutputFailed."""
        if sys.stdout is None:
            raise OutputFailed("stdout is closed")
        try:
            sys.stdout.write(text)
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            raise OutputFailed(f"stdout could not be written: {_why(error)}") from None

    def flush(self) -> None:
        """Push out what was written. Raises BrokenPipeError and OutputFailed."""
        if sys.stdout is None:
            return
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            raise OutputFailed(f"stdout could not be written: {_why(error)}") from None

    def json(self, schema: str, content: Mapping[str, Any]) -> None:
        """One JSON object a line, with its schema."""
        import json

        text = json_printable(json.dumps({"schema": f"mailpolicy.{schema}", **content}, ensure_ascii=False))
        self.data((text.replace("##[", "##\\u005b") if self.context.in_workflow else text) + "\n")

    def lines(self, lines: Iterable[str]) -> None:
        """Lines of text; what foreign text in them holds is shown, and not obeyed by a terminal or GitHub's runner."""
        self.data("".join([f"{self._painted(self.plain(printable(line)))}\n" for line in lines]))

    def findings(self, findings: Iterable[Finding]) -> None:
        """A line for each finding; on a terminal with the line of the file, if how it is written is what is wrong."""
        terminal = self.context.stdout_is_terminal
        self.lines(line for finding in findings for line in (str(finding), *self._excerpt(finding, terminal=terminal)))

    def patch(self, text: str) -> None:
        """A unified diff: as it is for a program, and shown as text by a terminal or in a log of GitHub's."""
        if self.context.stdout_is_terminal or self.context.in_workflow:
            lines = text.removesuffix("\n").split("\n") if text else []
            text = "".join([f"{self._painted_hunk(self.plain(_readable(line)))}\n" for line in lines])
        self.data(text)

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, of: str | None = None) -> None:
        """Print a table on a terminal; elsewhere one record a line, tab-separated, never wrapped or cut.

        `of` names the things that are listed: then the table says below what is the same for all of them.
        """
        if self.context.drawing:
            from mailpolicy.cli import terminal  # 8 ms, only on a terminal

            terminal.show_table(self.context, self.data, columns, rows, of)
        else:
            rows = iter(rows)
            if self.context.headings:
                self.record(columns)
            while part := list(islice(rows, _AT_ONCE)):
                self.records(part)

    def record(self, fields: Sequence[str]) -> None:
        """One record: parted by tabs, or by two blanks where tables are drawn."""
        self.records([fields])

    def records(self, rows: Iterable[Sequence[str]]) -> None:
        """A record for each row."""
        parting = "  " if self.context.drawing else "\t"
        lines = []
        for fields in rows:
            if not "".join(fields).isprintable():
                fields = [printable(field) for field in fields]
            lines.append(parting.join(fields))
        self.data("\n".join([*(self._painted(self.plain(line)) for line in lines), ""]))

    def _painted(self, line: str) -> str:
        if not self.context.color:
            return line
        from mailpolicy.render import colour  # only on a terminal

        return colour.painted_line(line)

    def _painted_hunk(self, line: str) -> str:
        if not self.context.color:
            return line
        from mailpolicy.render import colour  # only on a terminal

        return colour.painted_hunk(line)

    def plain(self, line: str) -> str:
        """A line of text; in a log of GitHub's it never is a command to the runner, whatever name stands in it.

        The runner reads both streams, and takes `::` at the beginning of a line and `##[` anywhere for a command.
        """
        if not self.context.in_workflow:
            return line
        start = len(line) - len(line.lstrip())
        line = line.replace("##[", "##\\x5b")
        return f"{line[:start]}\\x3a{line[start + 1 :]}" if line.startswith("::", start) else line

    def message(self, said: str | Advice) -> None:
        """A sentence on stderr, unless --quiet; always one line, whatever foreign text stands in it."""
        if not self.context.quiet:
            self.flush()  # so that both stand in their order where they go to one place
            self._stderr(said if isinstance(said, str) else f"{said.text}: {self.command(said.command)}")

    def tells(self, *, dry_run: bool = False) -> bool:
        """Whether to print what an edit did: not with --quiet, unless a dry run or a program asked to know.

        What any other command prints on stdout is what it is for, and is printed with --quiet too.
        """
        return dry_run or self.context.format == "json" or not self.context.quiet

    def detail(self, said: str | Advice) -> None:
        """A sentence on stderr with --verbose."""
        if self.context.verbose:
            self.message(said)

    def command(self, command: Command) -> str:
        """A command for somebody to paste into a shell: one of ours runs on the same store and machine as this run."""
        program = command.index("mailpolicy") if "mailpolicy" in command else len(command)
        named, ours = split(list(command[program + 1 :]))
        if not ours or ours[0] in _STORELESS or ours[-1] == "--help":
            return " ".join(map(quoted, command))
        # What another program starts for us may run in another directory.
        whole = os.path.abspath if program else str
        config = self.context.host_config
        options = {
            "--file": whole(self.context.file) if self.context.file_option else None,
            "--host-config": whole(config) if config and (program or self.context.host_config_option) else None,
            "--keyring-backend": self.context.keyring_backend,
        }
        repeated = [
            word for name, value in options.items() if value is not None and name not in named for word in (name, value)
        ]
        end = command.index("--") if "--" in command else len(command)
        return " ".join(map(quoted, (*command[:end], *repeated, *command[end:])))

    def usage(self, text: str) -> None:
        """The help that is printed instead of an error, so with --quiet too."""
        for line in text.split("\n"):
            self._stderr(line)

    def failure(self, error: MailpolicyError, about: str | None = None) -> None:
        """One error: an object on stdout under --json, else one clear line on stderr and the command that helps.

        The line begins with what the error is `about`, if that is said, and with the file that it names.
        """
        findings: list[Finding] = getattr(error, "findings", [])
        if self.context.format == "json":
            content: dict[str, Any] = {
                "exit": error.exit_status,
                "code": error.code,
                "message": error.message,
                "fix": shlex.join(error.fix) if error.fix is not None else None,
            }
            if error.file is not None:
                content["file"] = error.file
            elif error.exit_status != UsageError.exit_status:
                content["file"] = self.context.file
            if error.line is not None:
                content["line"] = error.line
            if findings:
                content["findings"] = [finding.content for finding in findings]
            content |= error.content
            self.json("error/1", content)
            return
        with suppress(BrokenPipeError, OutputFailed):  # whoever flushes at the end is told
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
        """The line that a finding is about, for somebody at a terminal; never where a program or a log reads it."""
        if finding.source is None or not terminal or self.context.dumb or self.context.in_workflow:
            return []
        from shutil import get_terminal_size  # both only for a person, who waits for rich

        from mailpolicy.render import excerpt

        return excerpt.lines(finding.line, finding.column, finding.source, get_terminal_size().columns)

    def _stderr(self, text: str) -> None:
        if sys.stderr is None:
            return
        try:
            line = self.plain(printable(text))
            if self.context.color_errors:
                from mailpolicy.render import colour  # only on a terminal

                line = colour.painted_line(line)
            print(line, file=sys.stderr, flush=True)
        except (OSError, ValueError):
            return


def _readable(line: str) -> str:
    """A line of a file, with its tabs and without a carriage return at its end."""
    return "\t".join(map(printable, line.removesuffix("\r").split("\t")))


def quoted(word: str) -> str:
    """A word as a shell reads it back, always in one line: what cannot be printed is escaped as bash and zsh do."""
    if word.isprintable() and printable(word) == word:
        return shlex.quote(word)
    escaped = (
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"\\'" else f"\\x{byte:02x}" for byte in os.fsencode(word)
    )
    return f"$'{''.join(escaped)}'"


def require_format(context: Context, *formats: str) -> None:
    """Raise UsageError where the form asked for is none of those the command has."""
    if context.format not in formats:
        *first, last = formats
        known = f"choose {', '.join(first)} or {last}" if first else f"it is always {last}"
        raise UsageError(f"there is no format {context.format!a} here: {known}")


def stdin_bytes(limit: int | None = None) -> bytes:
    """All of stdin. Raises StoreError, also for more bytes than `limit`, which is a store's if none is given."""
    # Needs POSIX, which a message that it is missing must not.
    from mailpolicy.system.files import LARGEST_STORE, TooLarge, read_stream

    if sys.stdin is None:
        raise StoreError("stdin is closed")
    try:
        return read_stream(sys.stdin.buffer, limit or LARGEST_STORE)
    except TooLarge as error:
        raise StoreError(str(error), file="-", code="too-large") from None
    except OSError as error:
        raise StoreError((error.strerror or "cannot be read").lower(), file="-") from None


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def drop_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's own flush at exit does not fail a second time."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        return
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
