"""Read `host.toml`: settings of this machine, such as the place of the secrets, which are no part of the policy.

Safeguards can be set in it, so any error in it is an error of every command that reads it, and root reads it only if
nobody else can have written it. check, validate, test and diff do not read it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mailpolicy.diagnostics import Finding, KeyPath
from mailpolicy.errors import FileMissing, StoreError
from mailpolicy.policy import names
from mailpolicy.policy.nearest import nearest_key
from mailpolicy.store.document import Document
from mailpolicy.store.tables import HOST_KEYS, TYPES
from mailpolicy.system.files import MAX_FILE_SIZE, exists, open_trusted, read_all

_TYPES: dict[str, type] = {"exports": dict, "tokens": dict, "journal": bool}  # the others are strings
LOGIN = "{login}"
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
DEFAULT_PATH = "/etc/mailpolicy/host.toml"


class HostUnreadable(StoreError):
    """host.toml is not TOML: the error is the first of the `findings`, which are all mistakes, placed."""

    code = "invalid-host"
    is_first_finding = True

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        first = findings[0]
        super().__init__(first.problem.message, file=first.file, line=first.line)


class TokenCommand(NamedTuple):
    """The command of `[tokens.NAME]`, in which `{login}` stands for the login that the token is for.

    `hosts` are the servers that its tokens may be sent to, None for any.
    """

    name: str
    command: tuple[str, ...]
    hosts: frozenset[str] | None = None

    @property
    def program(self) -> str:
        """Return the path of the program."""
        return self.command[0]

    @property
    def takes_login(self) -> bool:
        """Return whether the program is given the login."""
        return any(LOGIN in word for word in self.command)

    def for_login(self, login: str) -> tuple[str, ...]:
        """Return the command with the login in it."""
        return tuple(word.replace(LOGIN, login) for word in self.command)


class Host(NamedTuple):
    """The settings of one machine; those that the file does not set are None. `document` is None if there is no file."""

    keyring_backend: str | None = None
    keyring_service: str | None = None
    exports: Mapping[str, Any] = MappingProxyType({})  # `[exports.NAME]`, as written
    secrets_file: str | None = None
    key_file: str | None = None
    trusted_group: str | None = None
    cases: str | None = None
    journal: bool = False
    tokens: Mapping[str, TokenCommand] = MappingProxyType({})
    repository: str | None = None
    document: Document | None = None


def read(path: str | None) -> Host:
    """Return the settings in the file at `path`, or in the default file, which may be missing, if it is None.

    Raises StoreError if the file cannot be read or a setting is invalid, Refused if users other than root can write it
    and root would obey it.
    """
    if path == os.devnull:  # --host-config /dev/null
        return Host()
    name = path or DEFAULT_PATH
    try:
        with open_trusted(name) as descriptor:
            document = Document(name, read_all(descriptor, MAX_FILE_SIZE))
    except FileMissing:
        if path is None and not exists(name):  # a dangling link is an error: a file was meant to be there
            return Host()
        raise FileMissing(
            "no such file or directory: create it (it may be empty), or run without one: --host-config /dev/null",
            file=name,
        ) from None
    if document.faults:
        raise HostUnreadable(document.located(document.faults))
    for key, value in document.tree.items():
        if key not in HOST_KEYS:
            nearest = nearest_key(key, HOST_KEYS)
            hint = f", did you mean {nearest}?" if nearest else f": the keys of host.toml are {', '.join(HOST_KEYS)}"
            raise invalid(document, (key,), f"unknown key {key!a}{hint}")
        if type(value) is not (wanted := _TYPES.get(key, str)):
            raise invalid(document, (key,), f"{key} must be {TYPES[wanted][0]}")
    for key in ("secrets_file", "key_file", "cases", "repository"):
        if key in document.tree and not os.path.isabs(document.tree[key]):
            raise invalid(document, (key,), f"{key} must be an absolute path")
    tokens = {name: _token_command(document, name, table) for name, table in document.tree.get("tokens", {}).items()}
    return Host(**{**document.tree, "tokens": tokens}, document=document)


def _token_command(document: Document, name: str, table: Any) -> TokenCommand:
    """Return the command of `[tokens.NAME]`. Raises StoreError."""
    path: KeyPath = ("tokens", name)
    try:
        names.token_name(name)
    except names.NameRejected:
        message = f"'{names.short(name)}' is not the name of a token: use 1 to 63 of a-z 0-9 _ -"
        raise invalid(document, path, message) from None
    if type(table) is not dict:
        raise invalid(document, path, f"tokens.{name} must be a table with the key command")
    for key in [key for key in table if key not in ("command", "hosts")]:
        nearest = nearest_key(key, ("command", "hosts"))
        hint = f", did you mean {nearest}?" if nearest else ": its keys are command and hosts"
        raise invalid(document, (*path, key), f"tokens.{name}: unknown key {key!a}{hint}")
    command, hosts = table.get("command"), table.get("hosts")
    at: KeyPath = (*path, "command") if "command" in table else path
    if type(command) is not list or not command or not all(type(word) is str and "\0" not in word for word in command):
        example = '["/usr/local/bin/oauth-token", "{login}"]'
        raise invalid(document, at, f"tokens.{name}: command must be an array of strings, such as {example}")
    if not os.path.isabs(command[0]):
        raise invalid(document, at, f"tokens.{name}: the program must be an absolute path")
    for found in _PLACEHOLDER.findall(" ".join(command)):
        if found != LOGIN[1:-1]:
            raise invalid(document, at, f"tokens.{name}: {{{found}}} stands for nothing, only {LOGIN} does")
    if LOGIN in command[0]:
        raise invalid(document, at, f"tokens.{name}: {LOGIN} cannot be part of the program")
    return TokenCommand(name, tuple(command), _hosts(document, (*path, "hosts"), hosts))


def _hosts(document: Document, path: KeyPath, hosts: Any) -> frozenset[str] | None:
    if hosts is None:
        return None
    try:
        if type(hosts) is list and hosts and all(type(host) is str for host in hosts):
            return frozenset(map(names.host_name, hosts))
        message = 'hosts must be an array of strings, such as ["outlook.office365.com"]'
    except names.NameRejected as error:
        message = str(error)
    raise invalid(document, path, f"tokens.{path[1]}: {message}")


def invalid(document: Document, key: KeyPath, message: str) -> StoreError:
    """Return the error for an invalid setting in host.toml, with the line of the key."""
    return StoreError(message, file=document.path, line=document.line(key), code="invalid-host")
