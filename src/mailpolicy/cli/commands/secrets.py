"""secrets: the sealed file and its key, and what any keyring holds for mailpolicy."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.secrets import move, rebind, sealed_file
from mailpolicy.cli.selection import DryRun, YesSend, addresses


def app() -> typer.Typer:
    """The commands about where secrets are."""
    group = new_app(
        help="Seal secrets in a file, rotate its key, list, verify, move and rebind secrets.", no_args_is_help=True
    )
    group.command(
        "init",
        help="set up the sealed file: a master key, the file, and host.toml where there is none\n\n"
        "What is there stays as it is. The key comes from $CREDENTIALS_DIRECTORY/mailpolicy.key where that is given.",
    )(_init)
    group.command(
        "rotate",
        help="encrypt every sealed secret under a new key, in one step\n\n"
        "An older copy of the file still needs the older key.",
    )(_rotate)
    group.command("list", help="list the names of the secrets, never the secrets")(_list)
    group.command(
        "verify",
        help="open every secret the store names\n\nExit status: 0 all are there, 1 one is missing, 6 the keyring refuses.",
    )(_verify)
    group.command(
        "move",
        help="copy every secret the store names to another keyring, read them back, then remove the old ones\n\n"
        "BACKEND is a class, such as mailpolicy.sealed.Keyring or keyring.backends.SecretService.Keyring.",
    )(_move)
    group.command(
        "rebind",
        help="let passwords go to where the store now says, after a change of host, port, login or tls by hand\n\n"
        "A password is bound to where it is sent, so after such a change it is not found. This shows from where to "
        "where each one would move, and asks; a script says --yes. A keyring that cannot list its secrets is told "
        "with --from where they were sent so far.",
    )(_rebind)
    return group


def _init(
    context: typer.Context,
    secrets_file: Annotated[
        str | None, typer.Option("--secrets-file", metavar="PATH", help="the sealed file (/var/lib/mailpolicy/secrets)")
    ] = None,
    key_file: Annotated[
        str | None, typer.Option("--key-file", metavar="PATH", help="the master key's file (/etc/mailpolicy/key)")
    ] = None,
    key_in_keyring: Annotated[
        bool, typer.Option("--key-in-keyring", help="keep the master key in the desktop keyring instead")
    ] = False,
    dry_run: DryRun = False,
) -> int:
    return sealed_file.init(context.obj, secrets_file, key_file, key_in_keyring=key_in_keyring, dry_run=dry_run)


def _rotate(
    context: typer.Context,
    new_key_file: Annotated[
        str | None,
        typer.Option(
            "--new-key-file",
            metavar="PATH",
            help="where the new key is, or is to be made, when the old one is a credential",
        ),
    ] = None,
    dry_run: DryRun = False,
) -> int:
    return sealed_file.rotate(context.obj, new_key_file, dry_run=dry_run)


def _list(context: typer.Context) -> int:
    return move.names(context.obj)


def _verify(context: typer.Context) -> int:
    return move.verify(context.obj)


def _move(
    context: typer.Context,
    source: Annotated[str, typer.Option("--from", metavar="BACKEND", help="where they are", show_default=False)],
    target: Annotated[str, typer.Option("--to", metavar="BACKEND", help="where they go", show_default=False)],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace secrets that the target has already and that differ")
    ] = False,
    dry_run: DryRun = False,
) -> int:
    return move.move(context.obj, source, target, overwrite=overwrite, dry_run=dry_run)


def _rebind(
    context: typer.Context,
    several: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ADDRESS...]", help="of these accounts; none: of all and the server", show_default=False
        ),
    ] = None,
    server: Annotated[bool, typer.Option("--server", help="of the server's own login")] = False,
    former: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="DESTINATION",
            help="only what was sent there so far: HOST:PORT, of a source also LOGIN@HOST:PORT/TLS; can be repeated",
            show_default=False,
        ),
    ] = None,
    yes: YesSend = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would move, and move nothing")] = False,
) -> int:
    wanted = addresses(several or ())
    return rebind.rebind(context.obj, wanted, former or (), server=server, yes=yes, dry_run=dry_run)
