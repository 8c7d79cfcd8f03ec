"""smart-host: the logins for outgoing mail; their passwords are in the keyring."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.password_options import PasswordFile, PasswordSource, PasswordStdin
from mailpolicy.cli.selection import address
from mailpolicy.cli.selection_options import DryRun, YesDelete, YesSend
from mailpolicy.edit.operations import Scalar
from mailpolicy.errors import UsageError
from mailpolicy.policy import names

_Address = Annotated[str | None, typer.Argument(metavar="ADDRESS", help="the account, or --server", show_default=False)]
_Server = Annotated[bool, typer.Option("--server", help="the server's login, for accounts without one")]


def app() -> typer.Typer:
    """Return the commands for the smart host."""
    group = new_app(help="Set, clear and show the logins for outgoing mail.", no_args_is_help=True)
    group.command(
        "set",
        help="Set a smart host login and password.\n\n"
        "For an account, set the login and password; with --server, the server's host, port, login or password. The "
        "password comes from a hidden prompt, --password-stdin or --password-file, never from an argument.",
    )(_set)
    group.command(
        "import",
        help="Set the logins and passwords of many accounts.\n\n"
        "It is one edit and, into the sealed file, one write. "
        "stdin has a JSON object a line with `address`, `password` and, unless the account has one already, `login`.",
    )(_import)
    group.command("clear", help="Remove a login and its password.")(_clear)
    group.command("show", help="Show the credentials in use and why.\n\nAlso tells if the password is stored.")(_show)
    return group


def _owner(text: str | None, server: bool) -> str | None:
    if server is (text is not None):
        raise UsageError("name one account, or --server")
    return None if text is None else address(text)


def _set(
    context: typer.Context,
    account: _Address = None,
    server: _Server = False,
    login: Annotated[str | None, typer.Option("--login", metavar="LOGIN", help="the login; default: unchanged")] = None,
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    host: Annotated[str | None, typer.Option("--host", metavar="HOST", help="with --server: the smart host")] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="PORT", min=1, max=65535, help="with --server: its port")
    ] = None,
    per_account: Annotated[
        str | None,
        typer.Option("--per-account", metavar="on|off", help="with --server: allow accounts' own logins"),
    ] = None,
    yes: YesSend = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 17 ms, only for edits

    owner = _owner(account, server)
    if not server and (host is not None or port is not None or per_account is not None):
        raise UsageError("--host, --port and --per-account need --server")
    if per_account not in (None, "on", "off"):
        raise UsageError(f"--per-account is on or off, not {per_account!a}")
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
    source = PasswordSource.from_options(password_stdin, password_file)
    if server:
        return edits.set_server(context.obj, options, source, dry_run=dry_run, yes=yes)
    return edits.set_account(context.obj, owner or "", login, source, dry_run=dry_run)


def _import(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="-", help="always -: stdin, never an argument", show_default=False)],
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import logins  # 17 ms, only for edits

    out: Output = context.obj
    if file != "-":
        raise UsageError("passwords are read from stdin only: smart-host import - < FILE")
    if out.context.stdin_is_terminal:
        raise UsageError("a terminal would show the passwords: smart-host import - < FILE")
    return logins.import_all(out, dry_run=dry_run)


def _clear(
    context: typer.Context,
    account: _Address = None,
    server: _Server = False,
    yes: YesDelete = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 17 ms, only for edits

    return edits.clear(context.obj, _owner(account, server), dry_run=dry_run, yes=yes)


def _show(context: typer.Context, account: _Address = None, server: _Server = False) -> int:
    from mailpolicy.cli.secrets import lookup  # 6 ms, only for secrets

    return lookup.show(context.obj, _owner(account, server))
