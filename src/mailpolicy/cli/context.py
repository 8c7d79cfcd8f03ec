"""The context of a command: options of every command, environment and terminal, as one frozen value.

The environment is read here only. Under sudo the caller's own settings are ignored.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import NamedTuple

from mailpolicy.errors import UsageError

DEFAULT_FILE = "/etc/mailpolicy/accounts.toml"
ROOT_CACHE = "/var/cache/mailpolicy"
USUAL_FORMATS = ("text", "json")  # most commands support these

EDITOR_VARIABLES = ("MAILPOLICY_EDITOR", "VISUAL", "EDITOR")

COLORS = ("auto", "always", "never")

# Variables of sudo's caller that root does not follow, each with the option to use instead.
IGNORED_UNDER_SUDO = {
    "MAILPOLICY_FILE": "use --file PATH",
    "MAILPOLICY_HOST_CONFIG": "use --host-config PATH",
    "MAILPOLICY_NO_CACHE": "use --no-cache",
}

# libdbus finds the session bus through the X display, so removing DBUS_* alone would not keep root from the caller's bus.
_DISPLAY_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY")

# A folder of the caller's is no place for temporary files of root's, nor for time zones.
_FOLDER_VARIABLES = ("TMPDIR", "TEMP", "TMP", "PYTHONTZPATH")

Description = tuple[str | None, str]  # of an option: its metavar (None for a flag) and its help text

# Allowed before the command or anywhere after it.
OPTIONS: Mapping[str, Description] = {
    "--file": ("PATH", f"the store (default: {DEFAULT_FILE})"),
    "--format": ("NAME", "text, json; some commands have others"),
    "--json": (None, "short for --format json"),
    "--headings": (None, "print column names off a terminal too"),
    "--color": ("WHEN", f"{COLORS[0]}, {COLORS[1]} or {COLORS[2]}"),
    "--pager": (None, "page long output even under sudo"),
    "--quiet": (None, "print no messages and no result lines of edits"),
    "--verbose": (None, "print more details on stderr"),
    "--no-cache": (None, "do not use or write the index of a large store"),
    "--lock-timeout": ("SECONDS", "wait this long for another writer (default: 10)"),
    "--host-config": ("PATH", "host.toml (default: /etc/mailpolicy/host.toml)"),
    "--keyring-backend": ("CLASS", "class of the keyring backend to use"),
}


class Context(NamedTuple):
    """Everything outside a command that it may depend on. Times are in seconds."""

    file: str = DEFAULT_FILE
    file_option: bool = False  # --file was given, so suggested commands must repeat it
    format: str = "text"
    quiet: bool = False
    verbose: bool = False
    lock_timeout: float = 10.0
    host_config: str | None = None
    host_config_option: bool = False  # --host-config was given
    keyring_backend: str | None = None
    cache_folder: str | None = None  # for the indexes of large stores; None: no indexes
    stdin_is_terminal: bool = False
    stdout_is_terminal: bool = False
    stderr_is_terminal: bool = False
    dumb: bool = False  # TERM=dumb
    can_ask: bool = False  # stdin and stderr are terminals; questions go to stderr, so stdout may be a pipe
    progress: bool = False  # stderr is a terminal, without TERM=dumb and --quiet
    interactive: bool = False  # there is a terminal or a display, so a user may unlock the keyring
    draws_tables: bool = False  # stdout is a terminal, without TERM=dumb; pages its output too
    headings: bool = False  # for records too
    color: bool = False  # on stdout
    color_errors: bool = False  # on stderr
    pager: str | None = None  # a shell command, as in $PAGER
    editor: tuple[str, str] | None = None  # a variable that names one, and the command in it
    in_workflow: bool = False  # GitHub's runner reads the output and interprets some lines as commands
    is_root: bool = False
    credentials_folder: str | None = None  # systemd's $CREDENTIALS_DIRECTORY
    token_environment: Mapping[str, str] = MappingProxyType({})  # all that a command that makes tokens gets
    sudo_user: str | None = None  # sudo's caller
    ignored: tuple[str, ...] = ()  # variables of sudo's caller that were ignored
    arguments: tuple[str, ...] = ()  # the command line without the options of every command

    @classmethod
    def from_environment(cls, options: dict[str, str], environment: MutableMapping[str, str]) -> Context:
        """Build the context from the options and the environment. Raises UsageError."""
        is_root = os.geteuid() == 0
        ignored = _drop_caller_variables(environment) if is_root and "SUDO_UID" in environment else ()
        chosen = "json" if "--json" in options else options.get("--format", "text")
        try:
            timeout = float(options.get("--lock-timeout", "10"))
            if not 0 <= timeout < 1e6:
                raise ValueError
        except ValueError:
            raise UsageError(f"--lock-timeout must be a number of seconds, not {options['--lock-timeout']!a}") from None
        file = options.get("--file") or environment.get("MAILPOLICY_FILE") or DEFAULT_FILE
        stdin, stdout, stderr = map(_is_terminal, (sys.stdin, sys.stdout, sys.stderr))
        dumb = environment.get("TERM") == "dumb"
        no_cache = "--no-cache" in options or bool(environment.get("MAILPOLICY_NO_CACHE"))
        color = _color(options.get("--color", "auto"), environment, dumb=dumb)
        draws_tables = stdout and not dumb
        under_sudo = is_root and "SUDO_UID" in environment
        return cls(
            file=file,
            file_option=bool(options.get("--file")),
            format=chosen,
            quiet="--quiet" in options,
            verbose="--verbose" in options,
            lock_timeout=timeout,
            host_config=options.get("--host-config") or environment.get("MAILPOLICY_HOST_CONFIG") or None,
            host_config_option="--host-config" in options,
            keyring_backend=options.get("--keyring-backend"),
            cache_folder=None if no_cache else _cache_folder(environment, is_root=is_root),
            stdin_is_terminal=stdin,
            stdout_is_terminal=stdout,
            stderr_is_terminal=stderr,
            dumb=dumb,
            can_ask=stdin and stderr,
            progress=stderr and not dumb and "--quiet" not in options,
            interactive=stdin or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")),
            draws_tables=draws_tables,
            headings="--headings" in options,
            color=color(stdout),
            color_errors=color(stderr),
            pager=_pager(environment) if draws_tables and (not under_sudo or "--pager" in options) else None,
            editor=_editor(environment),
            in_workflow=bool(environment.get("GITHUB_ACTIONS")) or chosen == "github",
            is_root=is_root,
            credentials_folder=environment.get("CREDENTIALS_DIRECTORY") or None,
            token_environment={name: environment[name] for name in ("PATH", "HOME") if name in environment},
            sudo_user=(environment.get("SUDO_USER") or None) if under_sudo else None,
            ignored=ignored,
        )


def split_options(arguments: list[str], known: Mapping[str, Description] = OPTIONS) -> tuple[dict[str, str], list[str]]:
    """Separate options, by default those of every command, from the other arguments. Raises UsageError."""
    options: dict[str, str] = {}
    rest: list[str] = []
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        position += 1
        if argument == "--":
            return options, [*rest, argument, *arguments[position:]]
        name, equals, value = argument.partition("=")
        if name not in known:
            rest.append(argument)
            continue
        metavar = known[name][0]
        if metavar is None:
            if equals:
                raise UsageError(f"{name} takes no value")
        elif not equals:
            if position == len(arguments):
                raise UsageError(f"{name} needs a value: {name} {metavar}")
            value = arguments[position]
            position += 1
        if metavar is not None and not value:
            raise UsageError(f"{name} is empty: {name} {metavar}")
        options[name] = value
    return options, rest


def parameter_name(name: str) -> str:
    """Return the name of the parameter that gets the value of an option, or of an argument with this metavar."""
    return name.removeprefix("--").replace("-", "_").lower()


def require_format(context: Context, *formats: str) -> None:
    """Raise UsageError if the command does not have the output format that was asked for."""
    if context.format not in formats:
        *first, last = formats
        known = f"use {', '.join(first)} or {last}" if first else f"it is always {last}"
        raise UsageError(f"this command has no format {context.format!a}: {known}")


def _color(when: str, environment: Mapping[str, str], *, dumb: bool) -> Callable[[bool], bool]:
    """Return whether to colour a stream that is a terminal, or is none. Raises UsageError."""
    match when:
        case "always":
            return lambda _terminal: True
        case "never":
            return lambda _terminal: False
        case "auto":
            return lambda terminal: terminal and not dumb and not environment.get("NO_COLOR")
        case _:
            raise UsageError(f"--color is auto, always or never, not {when!a}")


def _pager(environment: Mapping[str, str]) -> str | None:
    """Return the user's pager, as git finds it; None if none is wanted."""
    chosen = environment.get("PAGER", "less").strip()
    return chosen if chosen not in ("", "cat") else None


def _editor(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the user's editor, with the variable that names it."""
    return next(((name, environment[name]) for name in EDITOR_VARIABLES if environment.get(name, "").strip()), None)


def _cache_folder(environment: Mapping[str, str], *, is_root: bool) -> str | None:
    """Return the folder for this user's indexes, or None.

    For root it is fixed: whoever can set a variable must not choose which index root reads.
    """
    if is_root:
        return ROOT_CACHE
    home, chosen = environment.get("HOME", ""), environment.get("XDG_CACHE_HOME", "")
    if os.path.isabs(chosen):  # the XDG specification says to ignore a relative one
        return os.path.join(chosen, "mailpolicy")
    return os.path.join(home, ".cache", "mailpolicy") if os.path.isabs(home) else None


def _drop_caller_variables(environment: MutableMapping[str, str]) -> tuple[str, ...]:
    """Delete the variables of sudo's caller that would steer root; return those that the user should be told about.

    They are deleted, and not just skipped, so that libraries do not find them either.
    """
    names = [
        name
        for name in environment
        if name.startswith(("MAILPOLICY_", "XDG_", "PYTHON_KEYRING_", "KEYRING_PROPERTY_", "DBUS_", "GIT_"))
        or name in ("PAGER", "CREDENTIALS_DIRECTORY", *_FOLDER_VARIABLES, *_DISPLAY_VARIABLES)
    ]
    for name in names:
        del environment[name]
    return tuple(name for name in names if name in IGNORED_UNDER_SUDO)


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream is not None and stream.isatty())  # type: ignore[attr-defined]
    except ValueError:  # closed
        return False
