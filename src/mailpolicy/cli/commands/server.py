"""The command server: show and change server-wide settings."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli import views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.editing import edit
from mailpolicy.cli.output import Output
from mailpolicy.cli.selection_options import DryRun, YesOpen
from mailpolicy.edit import server
from mailpolicy.edit.server import display_text
from mailpolicy.errors import Command, UsageError
from mailpolicy.policy.names import joined, short
from mailpolicy.policy.nearest import nearest
from mailpolicy.policy.service import BY_NAME, GOVERNABLE, Service
from mailpolicy.store import tables
from mailpolicy.store.values import EDITIONS
from mailpolicy.system import zones

_KEYS = tables.SERVER_VALUES
_Services = Annotated[list[str], typer.Argument(metavar="SERVICE...", help=" or ".join(GOVERNABLE), show_default=False)]
_YES, _NO = ("on", "true", "yes"), ("off", "false", "no")


def app() -> typer.Typer:
    """Build the command and its subcommands."""
    group = new_app(help="Show and change server-wide settings.", no_args_is_help=True)
    group.command("show", help="Show the server's settings.")(_show)
    group.command("govern", help="Decide about smtp or sieve from now on. Then only granted accounts may use it.")(
        _govern
    )
    group.command("ungovern", help="Stop deciding about smtp or sieve. Then every account may use it from anywhere.")(
        _ungovern
    )
    group.command("set", help=f"Set a key. Keys: {', '.join(key.replace('_', '-') for key in _KEYS)}.")(_set)
    return group


def _show(context: typer.Context) -> int:
    out: Output = context.obj
    store, policy = views.open_store(out, [])
    server = policy.server
    values: dict[str, str | int | bool | list[str] | None] = {
        "edition": server.edition,
        "outlook_connector_installed": server.outlook_connector_installed,
        "multipop": server.multipop,
        **({"govern": [str(service) for service in server.govern]} if "govern" in server.written else {}),
        **({"time_zone": server.time_zone} if "time_zone" in server.written else {}),
        "lan": [entry.text for entry in server.lan_entries],
        "smart_host.host": server.smart_host,
        "smart_host.port": server.smart_host_port,
        "smart_host.login": server.smart_host_login,
        "smart_host.per_account_auth": server.per_account_auth,
    }
    if out.context.format == "json":
        out.json("server/1", {"file": store.path, "values": values, "written": sorted(server.written)})
        return 0
    rows = []
    for key, value in values.items():
        written = key in server.written
        shown = ", ".join(value) or "empty" if isinstance(value, list) else display_text(value)
        rows.append(
            (key.replace("_", "-"), shown, views.place(store, ("server", *key.split("."))) if written else "not set")
        )
    out.rows(("server", "value", "where"), rows)
    return 0


def _services(texts: list[str]) -> list[Service]:
    """Return the services that a store may govern or not. Raises UsageError."""
    found = []
    for text in texts:
        service = BY_NAME.get(text.lower())
        if service is None:
            known = f"name {joined(GOVERNABLE, 'or')}"
            meant = nearest(text, GOVERNABLE)
            raise UsageError(f"unknown service {short(text)}: {f'did you mean {meant}?' if meant else known}")
        if service not in GOVERNABLE:
            raise UsageError(f"{service} is always governed: name {joined(GOVERNABLE, 'or')}")
        found.append(service)
    return found


def _govern(context: typer.Context, texts: _Services, dry_run: DryRun = False) -> int:
    services = _services(texts)
    return edit(context.obj, lambda policy: server.govern(policy, services), dry_run=dry_run, yes=True)


def _ungovern(context: typer.Context, texts: _Services, yes: YesOpen = False, dry_run: DryRun = False) -> int:
    services = _services(texts)
    return edit(context.obj, lambda policy: server.ungovern(policy, services), dry_run=dry_run, yes=yes)


def _set(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="the setting", show_default=False)],
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="pro or standard; on or off; a time zone", show_default=False)
    ],
    dry_run: DryRun = False,
) -> int:
    name = key.replace("-", "_").lower()
    if name == "govern":
        raise UsageError(
            "govern is a list: add to it with server govern, and take away with server ungovern",
            fix=("mailpolicy", "server", "govern", value if BY_NAME.get(value) in GOVERNABLE else GOVERNABLE[0]),
        )
    if name not in _KEYS:
        smart_host = ("mailpolicy", "smart-host", "set", "--server")
        elsewhere: dict[str, Command] = {
            "lan": ("mailpolicy", "lan", "add", "NETWORK"),
            "smart_host": smart_host,
        }
        known = ", ".join(known.replace("_", "-") for known in _KEYS)
        fix = elsewhere.get(name, smart_host if name in tables.SMART_HOST else None)
        raise UsageError(f"unknown key {key!a}; server set knows {known}", fix=fix)
    wanted: str | bool
    if name == "edition":
        if value.lower() not in EDITIONS:
            raise UsageError(f"edition must be pro or standard, not {value!a}")
        wanted = value.lower()
    elif name == "time_zone":
        try:
            zones.require(value)
        except zones.ZoneUnknown as error:
            raise UsageError(f"time-zone: {error}") from None
        wanted = value
    elif value.lower() in (*_YES, *_NO):
        wanted = value.lower() in _YES
    else:
        raise UsageError(f"{key} must be on or off, not {value!a}")
    return edit(context.obj, lambda policy: server.set_key(policy, name, wanted), dry_run=dry_run, yes=True)
