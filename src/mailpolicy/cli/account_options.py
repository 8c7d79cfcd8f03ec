"""The options that name settings of accounts, for account add and account set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from mailpolicy.edit.operations import Scalar
from mailpolicy.errors import UsageError
from mailpolicy.policy import names
from mailpolicy.policy.service import SWITCHES

_ON_LAN_ONLY_OFF, _ON_OFF = "on, lan-only or off", "on or off"
Template = Annotated[str | None, typer.Option("--template", metavar="NAME", help="the template to use")]
Pop = Annotated[str | None, typer.Option("--pop", metavar="HOW", help=_ON_LAN_ONLY_OFF)]
Imap = Annotated[str | None, typer.Option("--imap", metavar="HOW", help=_ON_LAN_ONLY_OFF)]
MultiPop = Annotated[str | None, typer.Option("--multipop", metavar="HOW", help=_ON_OFF)]
Connector = Annotated[str | None, typer.Option("--outlook-connector", metavar="HOW", help=_ON_OFF)]
Smtp = Annotated[str | None, typer.Option("--smtp", metavar="HOW", help=_ON_LAN_ONLY_OFF)]
Sieve = Annotated[str | None, typer.Option("--sieve", metavar="HOW", help=_ON_LAN_ONLY_OFF)]
Login = Annotated[str | None, typer.Option("--login", metavar="LOGIN", help="login at the smart host")]


def settings(template: str | None, login: str | None, switches: Mapping[str, str | None]) -> dict[str, Scalar]:
    """Return the keys that the options of an account name. Raises UsageError."""
    asked: dict[str, Scalar] = {}
    try:
        if template is not None:
            asked["template"] = names.template_name(template)
        for key, how in switches.items():
            asked |= _switches(key, how)
        if login is not None:
            asked["smart_host_login"] = names.login(login)
    except names.NameRejected as error:
        raise UsageError(str(error)) from None
    return asked


def _switches(key: str, how: str | None) -> dict[str, bool]:
    has_lan_switch = f"{key}_lan_only" in SWITCHES
    if how is None:
        return {}
    if how in ("on", "off"):
        return {key: how == "on"}
    if how == "lan-only" and has_lan_switch:
        return {key: True, f"{key}_lan_only": True}
    raise UsageError(
        f"--{key.replace('_', '-')} must be {_ON_LAN_ONLY_OFF if has_lan_switch else _ON_OFF}, not {how!a}"
    )
