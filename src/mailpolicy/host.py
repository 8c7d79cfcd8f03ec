"""`host.toml`: what is true of this machine and not of the policy, such as which keyring keeps the secrets.

Promises: as root it is obeyed only where nobody else can have written it. Not read by check, validate, test and diff.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mailpolicy.errors import FileMissing, StoreError
from mailpolicy.keys import HOST_KEYS, nearest_key
from mailpolicy.system.files import opened_trusted, read_whole

DEFAULT_PATH = "/etc/mailpolicy/host.toml"


class Host(NamedTuple):
    """The settings of one machine; None where the file does not say."""

    keyring_backend: str | None = None
    keyring_service: str | None = None
    exports: Mapping[str, Any] = MappingProxyType({})  # `[exports.NAME]`, as written
    secrets_file: str | None = None
    key_file: str | None = None
    trusted_group: str | None = None


def read(path: str | None) -> Host:
    """The settings in the file at `path`; with None in the usual place, where it may be missing.

    Raises StoreError where the file cannot be read or says something it may not, Refused where root must not obey it.
    """
    import os

    import tomli

    name = path or DEFAULT_PATH
    try:
        with opened_trusted(name) as descriptor:
            content = read_whole(descriptor)
    except FileMissing:
        if path is None:
            return Host()
        raise
    try:
        tree: dict[str, Any] = tomli.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # also not UTF-8, and a number of more digits than Python converts
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise StoreError(f"not TOML: {reason}", file=name, code="invalid-host") from None
    for key, value in tree.items():
        if key not in HOST_KEYS:
            nearest = nearest_key(key, HOST_KEYS)
            hint = f"did you mean {nearest}?" if nearest else f"known here: {', '.join(HOST_KEYS)}"
            raise StoreError(f"unknown key {key!a}, {hint}", file=name, code="invalid-host")
        if type(value) is not (dict if key == "exports" else str):
            raise StoreError(
                f"{key} must be a {'table' if key == 'exports' else 'string'}", file=name, code="invalid-host"
            )
    for key in ("secrets_file", "key_file"):
        if key in tree and not os.path.isabs(tree[key]):
            raise StoreError(f"{key} must be a whole path, from the root on", file=name, code="invalid-host")
    return Host(**tree)
