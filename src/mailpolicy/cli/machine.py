"""What `host.toml` says, for the commands that read it: edits, secrets, exports and what puts them into force.

Promises: it is judged whole, its exports too, so that any error in it ends the command before anything is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.cli.context import Context
from mailpolicy.store import host
from mailpolicy.system import trust
from mailpolicy.system.trust import Trusted

if TYPE_CHECKING:
    from mailpolicy.deploy.configured import Configured


class Machine(NamedTuple):
    """The settings of this machine, and of these the exports, and whom root trusts with the store besides itself."""

    settings: host.Host
    exports: list[Configured]
    trusted: Trusted


def path(context: Context) -> str:
    """Where host.toml is, or would be."""
    return context.host_config or host.DEFAULT_PATH


def read(context: Context) -> Machine:
    """What is said of this machine. Raises StoreError and Refused."""
    settings = host.read(context.host_config)
    trusted = _trusted(settings)
    if settings.document is None or not settings.exports:
        return Machine(settings, [], trusted)
    from mailpolicy.deploy.configured import InvalidExport, configured  # 17 ms, only if host.toml has exports

    try:
        return Machine(settings, configured(path(context), settings.exports), trusted)
    except InvalidExport as error:
        error.line = settings.document.line(error.key)
        raise


def _trusted(settings: host.Host) -> Trusted:
    if settings.document is None or settings.trusted_group is None:
        return trust.ROOT_ONLY
    try:
        return trust.group_named(settings.trusted_group)
    except KeyError:
        message = f"trusted_group: there is no group {settings.trusted_group!a} on this machine"
        raise host.invalid(settings.document, ("trusted_group",), message) from None
