"""What a command finds around it: the options that every command takes, the environment, the terminal.

Promises: the one place that reads the environment; a frozen value, passed down. Under sudo the caller's settings are
not obeyed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import NamedTuple

from mailpolicy.errors import UsageError

DEFAULT_FILE = "/etc/mailpolicy/accounts.toml"
ROOT_CACHE = "/var/cache/mailpolicy"
FORMATS = ("text", "json", "github", "sarif", "junit", "markdown")  # each command has some of them

# What root can say instead of what a variable of sudo's caller says.
INSTEAD = {
    "MAILPOLICY_FILE": "name the store with --file",
    "MAILPOLICY_HOST_CONFIG": "name host.toml with --host-config",
    "MAILPOLICY_NO_CACHE": "give --no-cache",
}

# Beside DBUS_*: libdbus looks for the bus of a session on its X display.
_TO_THE_BUS = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY")

# name: metavar (None for a switch), help. They may stand before the command or anywhere after it.
OPTIONS: dict[str, tuple[str | None, str]] = {
    "--file": ("PATH", f"the store; else $MAILPOLICY_FILE, else {DEFAULT_FILE}"),
    "--format": ("NAME", "text or json; some commands also github, sarif, junit or markdown"),
    "--json": (None, "short for --format json"),
    "--headings": (None, "name the columns in a first line, off a terminal too"),
    "--color": ("WHEN", "auto, always or never"),
    "--pager": (None, "page long output under sudo too"),
    "--quiet": (None, "no messages and no result lines of edits"),
    "--verbose": (None, "say more on stderr"),
    "--no-cache": (None, "neither use nor write the index of a large store"),
    "--lock-timeout": ("SECONDS", "how long an edit waits for another writer (10)"),
    "--host-config": ("PATH", "this machine's settings; else $MAILPOLICY_HOST_CONFIG, else /etc/mailpolicy/host.toml"),
    "--keyring-backend": ("CLASS", "the keyring backend to use, by its class"),
}


class Context(NamedTuple):
    """Everything outside of one command that it may depend on; times in seconds."""

    file: str = DEFAULT_FILE
    file_option: bool = False  # named by --file, so that a command to copy must name it too
    format: str = "text"
    quiet: bool = False
    verbose: bool = False
    lock_timeout: float = 10.0
    host_config: str | None = None
    host_config_option: bool = False  # named by --host-config
    keyring_backend: str | None = None
    cache_folder: str | None = None  # where indexes of large stores are kept; None for nowhere
    stdin_is_terminal: bool = False
    stdout_is_terminal: bool = False
    stderr_is_terminal: bool = False
    dumb: bool = False  # the terminal: TERM=dumb
    can_ask: bool = False  # somebody sees a question, which goes to stderr, and can answer it, whatever stdout is
    progress: bool = False  # somebody watches stderr: a terminal, no TERM=dumb, no --quiet
    interactive: bool = False  # a terminal or a display: somebody may unlock the keyring
    drawing: bool = False  # tables and pages: a terminal, no TERM=dumb
    headings: bool = False  # for records too
    color: bool = False  # on stdout
    color_errors: bool = False  # on stderr
    pager: str | None = None  # a shell command, as $PAGER names it
    in_workflow: bool = False  # what is printed is read by GitHub's runner, which takes some lines for commands
    is_root: bool = False
    credentials_folder: str | None = None  # of systemd, for this service
    ignored: tuple[str, ...] = ()  # variables of sudo's caller that were not obeyed

    @classmethod
    def from_environment(cls, options: dict[str, str], environment: MutableMapping[str, str]) -> Context:
        """Build the context from the options and the environment. Raises UsageError."""
        is_root = os.geteuid() == 0
        ignored = _forget_caller(environment) if is_root and "SUDO_UID" in environment else ()
        chosen = "json" if "--json" in options else options.get("--format", "text")
        try:
            timeout = float(options.get("--lock-timeout", "10"))
            if not 0 <= timeout < 1e6:
                raise ValueError
        except ValueError:
            raise UsageError(f"--lock-timeout is a number of seconds, not {options['--lock-timeout']!a}") from None
        file = options.get("--file") or environment.get("MAILPOLICY_FILE") or DEFAULT_FILE
        stdin, stdout, stderr = map(_is_terminal, (sys.stdin, sys.stdout, sys.stderr))
        dumb = environment.get("TERM") == "dumb"
        no_cache = "--no-cache" in options or bool(environment.get("MAILPOLICY_NO_CACHE"))
        color = _color(options.get("--color", "auto"), environment, dumb=dumb)
        drawing = stdout and not dumb
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
            drawing=drawing,
            headings="--headings" in options,
            color=color(stdout),
            color_errors=color(stderr),
            pager=_pager(environment) if drawing and (not under_sudo or "--pager" in options) else None,
            in_workflow=bool(environment.get("GITHUB_ACTIONS")) or chosen == "github",
            is_root=is_root,
            credentials_folder=environment.get("CREDENTIALS_DIRECTORY") or None,
            ignored=ignored,
        )


def split(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """The options that every command takes, and the other arguments. Raises UsageError."""
    options: dict[str, str] = {}
    rest: list[str] = []
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        position += 1
        if argument == "--":
            return options, [*rest, argument, *arguments[position:]]
        name, equals, value = argument.partition("=")
        if name not in OPTIONS:
            rest.append(argument)
            continue
        metavar = OPTIONS[name][0]
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


def _cache_folder(environment: Mapping[str, str], *, is_root: bool) -> str | None:
    """Where this user's indexes are kept. Root is steered by no variable: who sets one must not choose what root reads."""
    if is_root:
        return ROOT_CACHE
    home, chosen = environment.get("HOME", ""), environment.get("XDG_CACHE_HOME", "")
    if os.path.isabs(chosen):  # the XDG specification has a relative one ignored
        return os.path.join(chosen, "mailpolicy")
    return os.path.join(home, ".cache", "mailpolicy") if os.path.isabs(home) else None


def _forget_caller(environment: MutableMapping[str, str]) -> tuple[str, ...]:
    """Under sudo the caller's own settings must not steer root; the libraries must not find them, or his bus, either."""
    names = [
        name
        for name in environment
        if name.startswith(("MAILPOLICY_", "XDG_", "PYTHON_KEYRING_", "KEYRING_PROPERTY_", "DBUS_", "GIT_"))
        or name in ("PAGER", "CREDENTIALS_DIRECTORY", *_TO_THE_BUS)
    ]
    for name in names:
        del environment[name]
    return tuple(name for name in names if name in INSTEAD)


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream is not None and stream.isatty())  # type: ignore[attr-defined]
    except ValueError:  # closed
        return False
