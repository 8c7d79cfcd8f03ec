"""multipop source: the external mailboxes that MultiPOP collects from, each with a password in the keyring or a token."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mailpolicy.cli import views
from mailpolicy.cli.app import new_app, with_formats
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.password_options import PasswordFile, PasswordSource, PasswordStdin
from mailpolicy.cli.selection import address
from mailpolicy.cli.selection_options import DryRun, YesDelete, YesSendOrDelete
from mailpolicy.edit.operations import Scalar
from mailpolicy.edit.sources import as_table
from mailpolicy.errors import UsageError
from mailpolicy.policy import names
from mailpolicy.policy.lookup import require_account
from mailpolicy.policy.model import Policy
from mailpolicy.policy.service import Service
from mailpolicy.policy.source import Auth, Tls
from mailpolicy.store.values import RANGES

_BY_TOKEN = names.joined((auth for auth in Auth if auth is not Auth.PASSWORD), "or")
_MOST = RANGES["max_size_kb"][1]

_Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="the account", show_default=False)]
_Token = Annotated[
    str | None, typer.Option("--token", metavar="NAME", help="what makes the token: [tokens.NAME] in host.toml")
]
_Name = Annotated[str, typer.Argument(metavar="SOURCE", help="the source's name", show_default=False)]
_MaxSize = Annotated[
    int | None, typer.Option("--max-size-kb", metavar="KIB", min=1, max=_MOST, help="skip larger messages")
]
_DeleteAfter = Annotated[
    int | None, typer.Option("--delete-after-days", metavar="DAYS", min=1, max=_MOST, help="delete copies after DAYS")
]


def app() -> typer.Typer:
    """Return the commands for sources."""
    group = new_app(help="Manage the mailboxes that MultiPOP collects from.", no_args_is_help=True)
    group.command(
        "add",
        help="Add a source to an account.\n\n"
        "An identical source that already exists is not an error. The password comes from --password-stdin or "
        "--password-file, or later from set-password. With --auth and --token the source logs in with a token instead, "
        "for providers that refuse passwords.",
    )(_add)
    group.command("set", help="Change the given settings of a source.")(_set)
    group.command("remove", help="Remove a source and its password.")(_remove)
    group.command(
        "list", help="List sources, of one account or all.\n\nAlso tells for each source whether it is polled."
    )(_list)
    group.command(
        "set-password",
        help="Set the password of a source.\n\nIt comes from a hidden prompt, --password-stdin or --password-file.",
    )(_set_password)
    group.command(
        "print-password",
        help="Print a password or a token for a collecting program.\n\n"
        "Refused on a terminal, and if the source must not be polled. A token is made by its command in host.toml; exit "
        "status 6 if that prints no token within 15 s.",
    )(with_formats(_print_password, "text"))
    return group


def _source(name: str) -> str:
    try:
        return names.source_name(name)
    except names.NameRejected as error:
        raise UsageError(str(error)) from None


def _add(
    context: typer.Context,
    account: _Address,
    name: _Name,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="the POP3 server", show_default=False)],
    login: Annotated[str, typer.Option("--login", metavar="LOGIN", help="the login there", show_default=False)],
    port: Annotated[
        int | None, typer.Option("--port", metavar="PORT", min=1, max=65535, help="its port (995, without TLS 110)")
    ] = None,
    tls: Annotated[
        str | None, typer.Option("--tls", metavar="KIND", help="implicit (default), starttls or none")
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option("--auth", metavar="HOW", help="password (default), xoauth2 or oauthbearer"),
    ] = None,
    token: _Token = None,
    keep: Annotated[
        bool | None, typer.Option("--keep/--no-keep", help="leave a copy on the server (default: keep)")
    ] = None,
    enabled: Annotated[
        bool | None, typer.Option("--enabled/--disabled", help="poll this source (default: enabled)")
    ] = None,
    max_size_kb: _MaxSize = None,
    delete_after_days: _DeleteAfter = None,
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 14 ms, only for edits

    settings = _settings(host, login, port, tls, auth, token, keep, enabled, max_size_kb, delete_after_days)
    if token is None and auth not in (None, Auth.PASSWORD):
        raise UsageError(f"--auth {auth} needs --token NAME")
    if token is not None and auth is None:
        raise UsageError(f"--token needs --auth {_BY_TOKEN}")
    given = {key: value for key, value in settings.items() if value is not None}
    password = PasswordSource.from_options(password_stdin, password_file)
    if token is not None and password.given:
        raise UsageError(f"a source with --auth {auth} has no password: leave out --password-stdin or --password-file")
    return edits.add_source(context.obj, address(account), _source(name), given, password, dry_run=dry_run)


def _set(
    context: typer.Context,
    account: _Address,
    name: _Name,
    host: Annotated[str | None, typer.Option("--host", metavar="HOST", help="the POP3 server")] = None,
    login: Annotated[str | None, typer.Option("--login", metavar="LOGIN", help="the login there")] = None,
    port: Annotated[int | None, typer.Option("--port", metavar="PORT", min=1, max=65535, help="its port")] = None,
    tls: Annotated[str | None, typer.Option("--tls", metavar="KIND", help="implicit, starttls or none")] = None,
    auth: Annotated[str | None, typer.Option("--auth", metavar="HOW", help="password, xoauth2 or oauthbearer")] = None,
    token: _Token = None,
    keep: Annotated[bool | None, typer.Option("--keep/--no-keep", help="leave a copy on the server")] = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="poll this source")] = None,
    max_size_kb: _MaxSize = None,
    any_size: Annotated[bool, typer.Option("--any-size", help="collect messages of any size")] = False,
    delete_after_days: _DeleteAfter = None,
    never_delete: Annotated[bool, typer.Option("--never-delete", help="never delete the copies")] = False,
    yes: YesSendOrDelete = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 14 ms, only for edits

    if any_size and max_size_kb is not None:
        raise UsageError("--max-size-kb and --any-size cannot be combined")
    if never_delete and delete_after_days is not None:
        raise UsageError("--delete-after-days and --never-delete cannot be combined")
    owner, source = address(account), _source(name)
    settings = _settings(host, login, port, tls, auth, token, keep, enabled, max_size_kb, delete_after_days)
    settings |= {"auth": None, "token": None} if auth == Auth.PASSWORD else {}
    settings |= {"max_size_kb": None} if any_size else {}
    settings |= {"delete_after_days": None} if never_delete else {}
    if not settings:
        raise UsageError("no setting was given", fix=("mailpolicy", "multipop", "source", "set", "--help"))
    return edits.change_source(context.obj, owner, source, settings, dry_run=dry_run, yes=yes)


def _settings(
    host: str | None,
    login: str | None,
    port: int | None,
    tls: str | None,
    auth: str | None,
    token: str | None,
    keep: bool | None,
    enabled: bool | None,
    max_size_kb: int | None,
    delete_after_days: int | None,
) -> dict[str, Scalar | None]:
    """Return the given settings of a source by their keys in the store. Raises UsageError."""
    if tls is not None and tls not in list(Tls):
        raise UsageError(f"--tls is {names.joined(Tls, 'or')}, not {tls!a}")
    if auth is not None and auth not in list(Auth):
        raise UsageError(f"--auth is {names.joined(Auth, 'or')}, not {auth!a}")
    if auth == Auth.PASSWORD and token is not None:
        raise UsageError(f"--token needs --auth {_BY_TOKEN}")
    if keep is False and delete_after_days is not None:
        raise UsageError("--delete-after-days needs --keep")
    try:
        settings: dict[str, Scalar | None] = {
            "host": names.host_name(host) if host is not None else None,
            "port": port,
            "login": names.login(login) if login is not None else None,
            "token": names.token_name(token) if token is not None else None,
        }
    except names.NameRejected as error:
        raise UsageError(str(error)) from None
    settings |= {"tls": tls, "auth": auth, "token": settings.pop("token"), "keep": keep, "enabled": enabled}
    settings |= {"max_size_kb": max_size_kb, "delete_after_days": delete_after_days}
    return {key: value for key, value in settings.items() if value is not None}


def _remove(
    context: typer.Context,
    account: _Address,
    name: _Name,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="do not fail if it does not exist")] = False,
    yes: YesDelete = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 14 ms, only for edits

    return edits.remove_source(
        context.obj, address(account), _source(name), if_exists=if_exists, dry_run=dry_run, yes=yes
    )


def _set_password(
    context: typer.Context,
    account: _Address,
    name: _Name,
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 14 ms, only for edits

    password = PasswordSource.from_options(password_stdin, password_file)
    return edits.set_source(context.obj, address(account), _source(name), password, dry_run=dry_run)


def _print_password(context: typer.Context, account: _Address, name: _Name) -> int:
    from mailpolicy.cli.secrets import lookup  # 4 ms, only for secrets

    return lookup.print_password(context.obj, address(account), _source(name))


def _list(
    context: typer.Context,
    account: Annotated[
        str | None, typer.Argument(metavar="ADDRESS", help="the account; default: all", show_default=False)
    ] = None,
) -> int:
    out: Output = context.obj
    wanted = address(account) if account is not None else None
    store, policy = views.open_store(out, [wanted] if wanted is not None else None)
    accounts = policy.accounts.values() if wanted is None else [require_account(policy, wanted)]
    found = [(holder, name, source) for holder in accounts for name, source in holder.sources.items()]
    if out.context.format == "json":
        for holder, name, source in found:
            line = store.line(("accounts", holder.key, "sources", name))
            content = {"file": store.path, "address": holder.address, "name": name, "line": line, **as_table(source)}
            out.json("source/1", {**content, "polled": name in policy.polled(holder)})
        return 0
    rows = [
        (
            holder.address,
            name,
            source.host,
            str(source.port),
            source.login,
            str(source.tls),
            "keep" if source.keep else "delete",
            _state(policy, holder.address, source.enabled),
            str(source.auth) if source.token is None else f"{source.auth} {source.token}",
        )
        for holder, name, source in found
    ]
    out.rows(("address", "source", "host", "port", "login", "tls", "copies", "state", "auth"), rows, of="source")
    return 0


def _state(policy: Policy, holder: str, enabled: bool) -> str:
    closed: list[Any] = list(policy.gates(holder, Service.MULTIPOP))
    if not enabled:
        closed.insert(0, "disabled")
    return f"not polled: {', '.join(closed)}" if closed else "polled"
