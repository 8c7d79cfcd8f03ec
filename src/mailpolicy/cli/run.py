"""Run one command and map its outcome to an exit status; the only place that catches errors.

Typer's own main() is not used: it exits with 1, which here means "denied", on Ctrl-C, EOF and a closed pipe.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

from mailpolicy.cli import plain, was_interrupted
from mailpolicy.cli.clock import now
from mailpolicy.cli.context import IGNORED_UNDER_SUDO, USUAL_FORMATS, Context, split_options
from mailpolicy.cli.output import Output
from mailpolicy.cli.streams import discard_stderr, discard_stdout
from mailpolicy.errors import MailpolicyError, OutputFailed, UnsupportedSystem, UsageError

if TYPE_CHECKING:
    from mailpolicy.policy.dates import Clock

INTERRUPTED, BROKEN_PIPE, TERMINATED, CRASHED = 130, 141, 143, 70


class Terminated(BaseException):
    """SIGTERM arrived. Raised by the signal handler, so that `finally` blocks and context managers clean up."""


def run(arguments: list[str], clock: Clock = now, command: Callable[[Output, list[str]], int] | None = None) -> int:
    """Run one command and return its exit status; `clock` says what time it is.

    By default `command` takes the short way if there is one.
    """
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGTERM, _terminate)
    _buffer_stdout()
    # A character that the terminal's encoding lacks must not end the run with a traceback.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # An error in the options themselves must already be printed as JSON if JSON was asked for.
    out = Output(Context(format="json" if "--json" in arguments else "text"))
    try:
        _require_posix()
        options, rest = split_options(arguments)
        context = Context.from_environment(options, os.environ)
        out = Output(context._replace(arguments=tuple(rest)), clock)
        for name in out.context.ignored:
            out.message(f"note: {name} is ignored under sudo; {IGNORED_UNDER_SUDO[name]}")
        status = (command or _command)(out, rest)
        out.flush()
        return status
    except BrokenPipeError:
        discard_stdout()
        return BROKEN_PIPE
    except MailpolicyError as error:
        return _failed(out, error)
    except KeyboardInterrupt:
        discard_stdout()
        return INTERRUPTED
    except Terminated:
        discard_stdout()
        return TERMINATED
    except OSError as error:
        if _is_echo(error):
            return _failed(out, OutputFailed(f"stdout could not be written: {(error.strerror or '').lower()}"))
        return _crashed(out, error)
    except Exception as error:  # noqa: BLE001 - a crash must never look like a denial
        for signalled, status in ((KeyboardInterrupt, INTERRUPTED), (Terminated, TERMINATED)):
            if was_interrupted(error, signalled):
                discard_stdout()
                return status
        return _crashed(out, error)


def _require_posix() -> None:
    """Raise UnsupportedSystem if there are no POSIX locks, owners and modes, before anything is imported that needs them."""
    try:
        import fcntl  # noqa: F401
    except ImportError:
        raise UnsupportedSystem(
            "this operating system is not supported: mailpolicy needs Linux or another POSIX system; on Windows run it in "
            "WSL (wsl --install) or in a container"
        ) from None


def _buffer_stdout() -> None:
    """Buffer stdout even if Python was told not to (`-u`, PYTHONUNBUFFERED).

    An unbuffered stream silently drops the rest of a partial write, as happens when a disk fills up.
    """
    raw = getattr(sys.stdout, "buffer", None)
    if isinstance(raw, io.RawIOBase):
        buffered = io.BufferedWriter(raw)
        sys.stdout = io.TextIOWrapper(buffered, sys.stdout.encoding, line_buffering=sys.stdout.isatty())


def restore_default_signals() -> None:
    """Let signals end the process at once: the work is done, and nothing would catch an exception any more."""
    with suppress(ValueError):  # not the main thread
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)


def prepare_to_end(status: int) -> None:
    """Let the process end with this status and soon.

    A stderr that fails must not change the status, nor threads that a keyring backend left keep the process: Python would
    wait for some of them, perhaps forever.
    """
    discard_stderr()
    if "threading" not in sys.modules:
        return
    import threading  # there already

    from mailpolicy.system.keyrings.deadline import THREAD_NAME

    ours = (threading.main_thread().name, THREAD_NAME)
    if all(thread.name in ours for thread in threading.enumerate()):
        return
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):  # run() has flushed what matters, and told of failures
                stream.flush()
    os._exit(status)


def _command(out: Output, arguments: list[str]) -> int:
    # The short way: most runs are plain questions and edits, which do not need Typer; importing it takes longer than both.
    if out.context.format in USUAL_FORMATS and (carry_out := plain.understood(arguments)) is not None:
        return carry_out(out)
    return by_typer(out, arguments)


def by_typer(out: Output, arguments: list[str]) -> int:
    """Carry out a command as Typer understands it."""
    import typer

    from mailpolicy.cli.app import root  # 34 ms of typer, for neither a plain question nor a misplaced option

    try:
        command = root()
        with command.make_context("mailpolicy", arguments, obj=out) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        # Typer's usage errors are recognised by this method, as their base class is named differently in each version.
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError" and out.context.format != "json":
            out.usage(error.format_message())
            return UsageError.exit_status
        path = context.command_path if context is not None else "mailpolicy"
        message = error.format_message().rstrip(".")
        raise UsageError(message[:1].lower() + message[1:], fix=(*path.split(), "--help")) from None


def _failed(out: Output, error: MailpolicyError) -> int:
    if not isinstance(error, OutputFailed):
        try:
            out.failure(error)
            out.flush()
            return error.exit_status
        except BrokenPipeError:
            discard_stdout()
            return BROKEN_PIPE
        except OutputFailed as failed:
            error = failed
    # stdout is broken, so the error goes to stderr as text, even if JSON was asked for.
    discard_stdout()
    Output(out.context._replace(format="text")).failure(error)
    return error.exit_status


def _crashed(out: Output, error: Exception) -> int:
    """Report a bug by its type and place only: the message or a local variable may hold a secret."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"
    failure = MailpolicyError(
        f"internal error ({type(error).__name__} at {place}); the result may be incomplete. Please report it"
    )
    with suppress(BrokenPipeError, OutputFailed):
        out.failure(failure)
        out.flush()
    if out.context.verbose:
        for frame in frames:
            out.message(f"  {frame.filename}:{frame.lineno} in {frame.name}")
    return CRASHED


def _is_echo(error: OSError) -> bool:
    """Return whether Typer was writing; it prints help pages and questions itself, everything else goes through Output."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and traceback.tb_frame.f_code.co_name == "echo"


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated
