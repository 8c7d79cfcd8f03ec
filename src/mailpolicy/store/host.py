"""Read `host.toml`: settings of this machine, such as the place of the secrets, which are no part of the policy.

Safeguards can be set in it, so any error in it is an error of every command that reads it, and root reads it only if
nobody else can have written it. check, validate, test and diff do not read it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mailpolicy.diagnostics import Finding, KeyPath
from mailpolicy.errors import FileMissing, StoreError
from mailpolicy.policy.nearest import nearest_key
from mailpolicy.store.document import Document
from mailpolicy.store.tables import HOST_KEYS, TYPES
from mailpolicy.system.files import MAX_FILE_SIZE, exists, open_trusted, read_all

_TYPES: dict[str, type] = {"exports": dict, "journal": bool}  # the others are strings
DEFAULT_PATH = "/etc/mailpolicy/host.toml"


class HostUnreadable(StoreError):
    """host.toml is not TOML: the error is the first of the `findings`, which are all mistakes, placed."""

    code = "invalid-host"
    is_first_finding = True

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        first = findings[0]
        super().__init__(first.problem.message, file=first.file, line=first.line)


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
    for key in ("secrets_file", "key_file", "cases"):
        if key in document.tree and not os.path.isabs(document.tree[key]):
            raise invalid(document, (key,), f"{key} must be an absolute path")
    return Host(**document.tree, document=document)


def invalid(document: Document, key: KeyPath, message: str) -> StoreError:
    """Return the error for an invalid setting in host.toml, with the line of the key."""
    return StoreError(message, file=document.path, line=document.line(key), code="invalid-host")
