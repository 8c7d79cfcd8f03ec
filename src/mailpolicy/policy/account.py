"""An account and the settings that it shares with templates and the defaults; its dates, and what they mean at a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from mailpolicy.policy.source import Source

if TYPE_CHECKING:
    from datetime import datetime  # 2 ms, only for a store with dates

    from mailpolicy.policy.dates import End

EXTRA_LAN = "extra_lan"  # the key that names the networks which LAN only admits beside the LAN

# The keys that account, template and defaults share, with their values: the switches, and a tuple for EXTRA_LAN.
Value = bool | tuple[str, ...]
Settings = Mapping[str, Value]


def named_in(table: Settings) -> tuple[str, ...]:
    """Return the networks that a table names."""
    value = table.get(EXTRA_LAN)
    return value if isinstance(value, tuple) else ()


class Temporary(NamedTuple):
    """An exception of an account: settings that stand above its own until an end."""

    until: End
    switches: Settings


class Account(NamedTuple):
    """One account: its normalised address, the key of its table, and the settings in it.

    `expires` and `temporary` are as written. What they mean at a moment is in `expired` and `in_force`, which only
    `at()` sets.
    """

    address: str
    key: str
    own: Settings
    template: str | None = None
    suspended: bool = False
    login: str | None = None
    sources: Mapping[str, Source] = MappingProxyType({})
    expires: End | None = None
    temporary: Temporary | None = None
    expired: bool = False
    in_force: Settings = MappingProxyType({})  # the switches of an exception that is not over

    @property
    def dated(self) -> bool:
        """Return whether the account changes with time."""
        return self.expires is not None or self.temporary is not None

    def at(self, moment: datetime | None) -> Account:
        """Return the account as it is at a moment; for None as it is in its policy."""
        expires, temporary = self.expires, self.temporary
        if moment is None or not self.dated:
            return self
        return self._replace(
            expired=expires is not None and expires.is_over(moment),
            in_force={} if temporary is None or temporary.until.is_over(moment) else temporary.switches,
        )

    def without_own(self) -> Account:
        """Return the account without settings of its own, for what it inherits."""
        return self._replace(own={}, in_force={})

    def without_exception(self) -> Account:
        """Return the account without its exception, for what it is when that is over."""
        return self._replace(temporary=None, in_force={})

    def until_option(self, key: str) -> tuple[str, ...]:
        """Return the option with which a command changes a key where it decides: the end of an exception, else nothing."""
        return ("--until", str(self.temporary.until)) if self.temporary is not None and key in self.in_force else ()

    def value(self, key: str) -> Any:
        """Return the value of a key of the account's own table, None if it is absent; a table as a dictionary."""
        match key:
            case "template":
                return self.template
            case "suspended":
                return self.suspended or None
            case "smart_host_login":
                return self.login
            case "expires":
                return self.expires.written if self.expires is not None else None
            case "temporary":
                exception = self.temporary
                return None if exception is None else {"until": exception.until.written, **exception.switches}
            case "sources":
                return {name: source.table for name, source in self.sources.items()} or None
            case _:
                return self.own.get(key)

    @property
    def domain(self) -> str:
        """Return the part after the @."""
        return self.address.rpartition("@")[2]

    @property
    def shape(self) -> tuple[object, ...]:
        """Return the settings that decide about the account; accounts of one shape get the same decisions in a policy.

        A field counts unless it is known to decide nothing, so that a new field is never forgotten.
        """
        shape = (*_deciding(self), *self.own.items())
        return (*shape, None, *self.in_force.items()) if self.in_force else shape


# Dates decide nothing by themselves, only what they mean at a moment.
_NOT_DECIDING = ("address", "key", "login", "sources", "expires", "temporary")
_deciding: Callable[[Account], tuple[object, ...]] = itemgetter(
    *(index for index, field in enumerate(Account._fields) if field not in (*_NOT_DECIDING, "own", "in_force"))
)
