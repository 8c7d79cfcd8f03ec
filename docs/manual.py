"""Makes the manual pages: mailpolicy(1), one page for each command, accounts.toml(5) and host.toml(5).

They are made of the help pages, the examples and the tables of keys, as docs/commands.md and docs/file-format.md are.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files as resources
from typing import Any

from mailpolicy import __version__
from mailpolicy.cli import examples
from mailpolicy.cli.app import COMMANDS, SECTIONS, root
from mailpolicy.cli.context import OPTIONS
from mailpolicy.store import tables

RELEASED = "2026-11-27"
_EXIT_STATUS = (
    ("0", "done, allowed, valid, or already so"),
    ("1", "the answer is no: denied, findings, drift under --check, or a change that --fail-on names"),
    ("2", "usage: a bad option, an unknown protocol, a malformed address"),
    ("3", "the store cannot be opened or has errors"),
    ("4", "no such account, template or source"),
    ("5", "refused: a requirement does not hold, or permissions are unsafe"),
    ("6", "the keyring is missing, locked or refuses"),
    ("7", "the write failed, the old file is intact"),
    ("8", "written and in place, but the disk did not confirm"),
    ("70", "internal error"),
    ("74", "stdout could not be written"),
    (
        "75",
        "another writer was not done in time, or has changed what this command would do; nothing was written, try again",
    ),
    ("130, 141, 143", "interrupted, broken pipe, terminated"),
)
_FILES = (
    ("/etc/mailpolicy/accounts.toml", "the store: accounts.toml(5)"),
    ("/etc/mailpolicy/accounts.toml.log", "the journal of edits, with journal = true in host.toml"),
    ("/etc/mailpolicy/host.toml", "the settings of this machine: host.toml(5)"),
)
_ENVIRONMENT = (
    ("MAILPOLICY_FILE", "the store, if --file is not given"),
    ("MAILPOLICY_HOST_CONFIG", "the settings of this machine, if --host-config is not given"),
    ("MAILPOLICY_NO_CACHE", "if set, the index of a large store is neither used nor written"),
    ("MAILPOLICY_EDITOR, VISUAL, EDITOR", "the editor of edit, the first that is set; under sudo not the first"),
    ("PAGER", "the pager for long lists and pages on a terminal, by default less; empty or cat for none"),
    ("NO_COLOR", "if set, output has no colour"),
)


def pages() -> dict[str, str]:
    """Return every page by its file's name."""
    command: Any = root()
    made = {"mailpolicy.1": _program(command)}
    for name in COMMANDS:
        made[f"mailpolicy-{name}.1"] = _command(command, name)
    made["accounts.toml.5"] = _accounts()
    made["host.toml.5"] = _host()
    return made


def _program(command: Any) -> str:
    lines = [*_head("MAILPOLICY", 1, "mailpolicy", "account policy for mail servers")]
    lines += [".SH SYNOPSIS", ".B mailpolicy", ".RI [ options ]", ".I command", ".RI [ arguments ]"]
    lines += [".SH DESCRIPTION", *_text(command.help or ""), *_examples("")]
    lines.append(".SH COMMANDS")
    for title, names in SECTIONS.items():
        lines += [f".SS {_plain(title)}", *_items((f"mailpolicy-{name}(1)", COMMANDS[name][1]) for name in names)]
    lines += [".SH OPTIONS", "Every command takes these options, before it or anywhere after it.", *_items(_common())]
    lines += [".SH EXIT STATUS", *_items(_EXIT_STATUS), ".SH ENVIRONMENT", *_items(_ENVIRONMENT)]
    lines += [".SH FILES", *_items(_FILES), *_see_also("accounts.toml(5)", "host.toml(5)", "mailpolicy-help(1)")]
    return _page(lines)


def _common() -> Iterator[tuple[str, str]]:
    for name, (metavar, text) in OPTIONS.items():
        yield (f"{name} {metavar}" if metavar else name), text
    yield "-h, --help", "show the help page and exit"
    yield "--version", "print the version and exit"


def _command(program: Any, name: str) -> str:
    command = program.get_command(None, name)
    title = f"MAILPOLICY-{name.upper()}"
    lines = [*_head(title, 1, f"mailpolicy-{name}", COMMANDS[name][1])]
    below = list(_below(command, name))
    lines += [".SH SYNOPSIS"]
    for index, (path, inner) in enumerate(below):
        lines += [*([".br"] if index else []), f".B {_plain(f'mailpolicy {path}')}", *_usage(inner)]
    lines += [".SH DESCRIPTION", *_text(command.help or "")]
    if hasattr(command, "commands"):
        lines.append(".SH COMMANDS")
        for path, inner in below:
            lines += [
                f".SS {_plain(path)}",
                *_text(inner.help or ""),
                *_parameters(inner),
                *_examples(path, heading=False),
            ]
    else:
        parameters = _parameters(command)
        lines += [*([".SH OPTIONS", *parameters] if parameters else []), *_examples(name)]
    return _page([*lines, *_see_also("mailpolicy(1)", "accounts.toml(5)", "host.toml(5)")])


def _below(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the commands that do something: itself, or those below a group."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        if not inner.hidden:
            yield from _below(inner, f"{path} {name}")


def _usage(command: Any) -> list[str]:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    names = [parameter.metavar for parameter in arguments if not getattr(parameter, "hidden", False)]
    return [".RI [ options ]", *(f".I {_plain(name)}" for name in names)]


def _parameters(command: Any) -> list[str]:
    found = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or not parameter.help:
            continue
        if parameter.param_type_name == "argument":
            found.append((parameter.metavar, parameter.help))
        else:
            names = ", ".join([*parameter.opts, *parameter.secondary_opts])
            found.append((names if parameter.is_flag else f"{names} {parameter.metavar}", parameter.help))
    return _items(found)


def _accounts() -> str:
    lines = [*_head("ACCOUNTS.TOML", 5, "accounts.toml", "the policy of mailpolicy"), ".SH DESCRIPTION"]
    lines += _text(
        "The store of mailpolicy(1): which mail services each account may use, from the LAN only or from anywhere, "
        "and with which smart host login its mail goes out. It is a TOML file, by default "
        "/etc/mailpolicy/accounts.toml.\n\n"
        "Each setting of an account is looked up key by key: in the account, in its template, in [defaults]; if none "
        "has it, the service is off. A key that is not listed here is an error."
    )
    titles: dict[int, tuple[list[str], Mapping[str, tuple[type, str]]]] = {}
    for path, table in tables.TABLES.items():
        header = ".".join(f'"{part}"' if part == "ADDRESS" else part for part in path)
        titles.setdefault(id(table.keys), ([], table.keys))[0].append(f"[{header}]" if header else "top of the file")
    lines.append(".SH KEYS")
    for names, keys in titles.values():
        lines += [f".SS {_plain(', '.join(names))}"]
        lines += _items((f"{key} ({tables.type_title(kind)})", meaning) for key, (kind, meaning) in keys.items())
    starter = resources("mailpolicy.cli").joinpath("starter.toml").read_text(encoding="utf-8")
    lines += [".SH EXAMPLE", *_verbatim(starter.split("\n"))]
    return _page(
        [*lines, *_see_also("mailpolicy(1)", "host.toml(5)", "mailpolicy-validate(1)", "mailpolicy-schema(1)")]
    )


def _host() -> str:
    lines = [*_head("HOST.TOML", 5, "host.toml", "the settings of one machine for mailpolicy"), ".SH DESCRIPTION"]
    lines += _text(
        "What mailpolicy(1) has to know about the machine it runs on: where its secrets are kept, who besides root may "
        "write the store, and which files `mailpolicy deploy` keeps up to date. It is a TOML file, by default "
        "/etc/mailpolicy/host.toml, and it need not exist.\n\n"
        "Any error in it, an unknown key too, ends every command that reads it with status 3. Root obeys it only if it "
        "and every directory above it belong to root and are writable by nobody else."
    )
    lines += [".SH KEYS", *_items(tables.HOST_KEYS.items())]
    example = [
        'secrets_file = "/var/lib/mailpolicy/secrets"', 'key_file = "/etc/mailpolicy/key"', "", "[exports.dovecot]",
        'target = "dovecot"', 'path = "/etc/dovecot/mailpolicy"', 'reload = ["doveadm", "reload"]',
    ]  # fmt: skip
    lines += [".SH EXAMPLE", *_verbatim(example)]
    return _page(
        [*lines, *_see_also("mailpolicy(1)", "accounts.toml(5)", "mailpolicy-deploy(1)", "mailpolicy-secrets(1)")]
    )


def _head(title: str, section: int, name: str, what: str) -> Iterator[str]:
    yield '.\\" Made by docs/generate.py; edit the code instead.'
    yield f'.TH {title} {section} "{RELEASED}" "mailpolicy {__version__}" "mailpolicy"'
    yield ".SH NAME"
    yield from (_plain(line).replace(" \\- ", " \\- ", 1) for line in textwrap.wrap(f"{name} - {what}", 70))


def _examples(command: str, *, heading: bool = True) -> list[str]:
    lines = examples.of(command)
    if not lines:
        return []
    return [".SH EXAMPLES" if heading else ".PP", *_verbatim(lines)]


def _verbatim(lines: Iterable[str]) -> Iterator[str]:
    yield ".EX"
    yield from (_plain(line) if line else "\\&" for line in list(lines))
    yield ".EE"


def _see_also(*names: str) -> list[str]:
    listed = [f".BR {_plain(name.partition('(')[0])} ({name.partition('(')[2]}" for name in names]
    return [".SH SEE ALSO", *(f"{line} ," for line in listed[:-1]), listed[-1]]


def _items(items: Iterable[tuple[str, str]]) -> list[str]:
    lines = []
    for name, text in items:
        lines += [".TP", f".B {_plain(name)}", *_text(text)]
    return lines


def _text(text: str) -> list[str]:
    """Fill paragraphs; in a block that Typer leaves alone (\\b) each line stays one."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if lines:
            lines.append(".PP")
        if paragraph.startswith("\b"):
            lines += _verbatim(paragraph.lstrip("\b\n").split("\n"))
        else:
            joined = " ".join(paragraph.split()).replace("`", "").replace("*", "")
            # groff wants each sentence on a line of its own.
            for sentence in re.split(r"(?<=[.:;]) (?=[A-Z])", joined):
                lines += [_plain(line) for line in textwrap.wrap(sentence, 76, break_on_hyphens=False)]
    return lines


def _plain(text: str) -> str:
    """Escape a text for roff: backslashes, hyphens that are meant to be typed, and a control character in front."""
    text = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha").replace("'", "\\(aq")
    )
    return f"\\&{text}" if text.startswith((".", "'")) else text


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
