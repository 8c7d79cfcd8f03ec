"""Read host.toml for the commands that need it: edits, secrets, exports and deploy.

It is checked as a whole, with its exports, so that any error in it ends a command before anything is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.cli.context import Context
from mailpolicy.store import host
from mailpolicy.system import trust
from mailpolicy.system.trust import Trusted

if TYPE_CHECKING:
    from mailpolicy.deploy.configured import ConfiguredExport


class Machine(NamedTuple):
    """The settings in host.toml, the exports among them, and whom root trusts with the store besides itself."""

    settings: host.Host
    exports: list[ConfiguredExport]
    trusted: Trusted


def path(context: Context) -> str:
    """Return the path of host.toml, which may not exist."""
    return context.host_config or host.DEFAULT_PATH


def read(context: Context) -> Machine:
    """Read and check host.toml. Raises StoreError and Refused."""
    settings = host.read(context.host_config)
    trusted = _trusted(settings)
    if settings.document is None or not settings.exports:
        return Machine(settings, [], trusted)
    from mailpolicy.deploy.configured import InvalidExport, read_exports  # 17 ms, only if host.toml has exports

    try:
        return Machine(settings, read_exports(path(context), settings.exports), trusted)
    except InvalidExport as error:
        error.line = settings.document.line(error.key)
        raise


def _trusted(settings: host.Host) -> Trusted:
    if settings.document is None or settings.trusted_group is None:
        return trust.ROOT_ONLY
    try:
        return trust.group_named(settings.trusted_group)
    except KeyError:
        message = f"trusted_group: no group {settings.trusted_group!a} on this machine"
        raise host.invalid(settings.document, ("trusted_group",), message) from None
