"""smart-host: the logins that mail goes out with; their passwords are in the keyring."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.secrets.passwords import PasswordSource
from mailpolicy.cli.selection import DryRun, YesDelete, YesSend, address
from mailpolicy.edit.operations import Scalar
from mailpolicy.errors import UsageError
from mailpolicy.policy import names

_Address = Annotated[str | None, typer.Argument(metavar="ADDRESS", help="the account, or --server", show_default=False)]
_Server = Annotated[bool, typer.Option("--server", help="the server's own login, which accounts without one use")]


def app() -> typer.Typer:
    """The commands about the smart host."""
    group = new_app(help="Set, clear and show the logins that mail goes out with.", no_args_is_help=True)
    group.command(
        "set",
        help="set the login and the password of an account, or what is given of the server's\n\n"
        "The password comes from a hidden prompt, --password-stdin or --password-file; it is never an argument.",
    )(_set)
    group.command("clear", help="remove a login and its password")(_clear)
    group.command("show", help="show which credentials would be used and why, and whether the password is there")(_show)
    return group


def _whose(text: str | None, server: bool) -> str | None:
    if server is (text is not None):
        raise UsageError("name one account, or --server")
    return None if text is None else address(text)


def _set(
    context: typer.Context,
    whose: _Address = None,
    server: _Server = False,
    login: Annotated[
        str | None, typer.Option("--login", metavar="LOGIN", help="the login; an account keeps its own without it")
    ] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="read the password from stdin")] = False,
    password_file: Annotated[
        str | None, typer.Option("--password-file", metavar="PATH", help="read the password from a file")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", metavar="HOST", help="with --server: the smart host")] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="PORT", min=1, max=65535, help="with --server: its port")
    ] = None,
    per_account: Annotated[
        str | None,
        typer.Option("--per-account", metavar="on|off", help="with --server: allow per-account authentication"),
    ] = None,
    yes: YesSend = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 17 ms, only for edits

    owner = _whose(whose, server)
    if not server and (host is not None or port is not None or per_account is not None):
        raise UsageError("--host, --port and --per-account are the server's: use them with --server")
    if per_account not in (None, "on", "off"):
        raise UsageError(f"--per-account is on or off, not {per_account!a}")
    if password_stdin and password_file is not None:
        raise UsageError("--password-stdin and --password-file exclude each other")
    options: dict[str, Scalar] = {}
    try:
        if host is not None:
            options["host"] = names.host_name(host)
        if port is not None:
            options["port"] = port
        if login is not None:
            options["login"] = names.login(login)
    except names.NameRejected as error:
        raise UsageError(str(error)) from None
    if per_account is not None:
        options["per_account_auth"] = per_account == "on"
    source = PasswordSource(password_stdin, password_file)
    if server:
        return edits.set_server(context.obj, options, source, dry_run=dry_run, yes=yes)
    return edits.set_account(context.obj, owner or "", login, source, dry_run=dry_run)


def _clear(
    context: typer.Context,
    whose: _Address = None,
    server: _Server = False,
    yes: YesDelete = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 17 ms, only for edits

    return edits.clear(context.obj, _whose(whose, server), dry_run=dry_run, yes=yes)


def _show(context: typer.Context, whose: _Address = None, server: _Server = False) -> int:
    from mailpolicy.cli.secrets import lookup  # 6 ms, only for secrets

    return lookup.show(context.obj, _whose(whose, server))
