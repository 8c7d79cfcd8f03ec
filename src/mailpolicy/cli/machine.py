"""What `host.toml` says, for the commands that read it: edits, secrets, exports and what puts them into force.

Promises: it is judged whole, its exports too, so that any error in it ends the command before anything is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailpolicy import host
from mailpolicy.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from mailpolicy.deploy.configured import Configured


class Machine(NamedTuple):
    """The settings of this machine, and the exports among them."""

    settings: host.Host
    exports: list[Configured]


def path(around: Surroundings) -> str:
    """Where host.toml is, or would be."""
    return around.host_config or host.DEFAULT_PATH


def read(around: Surroundings) -> Machine:
    """What is said of this machine. Raises StoreError and Refused."""
    settings = host.read(around.host_config, is_root=around.is_root)
    if settings.document is None or not settings.exports:
        return Machine(settings, [])
    from mailpolicy.deploy.configured import InvalidExport, configured

    try:
        return Machine(settings, configured(path(around), settings.exports))
    except InvalidExport as error:
        error.line = settings.document.line(error.key)
        raise
