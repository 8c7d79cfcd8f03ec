"""secrets: the sealed file and its key, and the secrets in any keyring."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli.app import edits, new_app
from mailpolicy.cli.secrets import move, rebind, sealed_file
from mailpolicy.cli.selection import addresses
from mailpolicy.cli.selection_options import DryRun, YesSend


def app() -> typer.Typer:
    """Return the commands for secrets."""
    group = new_app(
        help="Set up the sealed file and rotate its key; list, verify, move and rebind secrets.", no_args_is_help=True
    )
    group.command(
        "init",
        help="Set up the sealed file and its key.\n\n"
        "Creates the master key, the file, and host.toml if there is none; existing ones are left as they are. The key "
        "comes from $CREDENTIALS_DIRECTORY/mailpolicy.key if that exists.",
    )(edits(_init))
    group.command(
        "rotate",
        help="Encrypt all sealed secrets under a new key.\n\n"
        "The new key replaces the old one in one step. Older copies of the file still need the old key.",
    )(edits(_rotate))
    group.command("list", help="List the names of the secrets.")(_list)
    group.command(
        "verify",
        help="Check that every secret can be opened.\n\n"
        "Reads all secrets that the store names. Exit status: 0 all are there, 1 one is missing, 6 the keyring failed.",
    )(_verify)
    group.command(
        "move",
        help="Move all secrets to another keyring.\n\n"
        "Copies the secrets that the store names, reads the copies back, then deletes the originals. BACKEND is a class, "
        "such as mailpolicy.sealed.Keyring or keyring.backends.SecretService.Keyring.",
    )(edits(_move))
    group.command(
        "rebind",
        help="Bind passwords to changed destinations.\n\n"
        "A password is bound to the server that it is sent to. After host, port, login or tls were changed by hand it is "
        "not found any more. This command shows each password with its old and its new destination and asks before it "
        "moves them; in a script, add --yes. If the keyring cannot list its secrets, name the old destination with --from. "
        "It also removes what a change of the destination left that was interrupted.",
    )(edits(_rebind))
    return group


def _init(
    context: typer.Context,
    secrets_file: Annotated[
        str | None, typer.Option("--secrets-file", metavar="PATH", help="the sealed file (/var/lib/mailpolicy/secrets)")
    ] = None,
    key_file: Annotated[
        str | None, typer.Option("--key-file", metavar="PATH", help="the key file (/etc/mailpolicy/key)")
    ] = None,
    key_in_keyring: Annotated[
        bool, typer.Option("--key-in-keyring", help="keep the key in the desktop keyring")
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
            help="file of the new key, created if missing",
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
    source: Annotated[str, typer.Option("--from", metavar="BACKEND", help="the old keyring", show_default=False)],
    target: Annotated[str, typer.Option("--to", metavar="BACKEND", help="the new keyring", show_default=False)],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace different secrets in the new one")] = False,
    dry_run: DryRun = False,
) -> int:
    return move.move(context.obj, source, target, overwrite=overwrite, dry_run=dry_run)


def _rebind(
    context: typer.Context,
    accounts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ADDRESS...]", help="accounts; default: all and the server", show_default=False),
    ] = None,
    server: Annotated[bool, typer.Option("--server", help="the server's own login")] = False,
    former: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="DESTINATION",
            help="only secrets bound to this destination, HOST:PORT or for a source LOGIN@HOST:PORT/TLS; can be repeated",
            show_default=False,
        ),
    ] = None,
    yes: YesSend = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the moves without making them")] = False,
) -> int:
    wanted = addresses(accounts or ())
    return rebind.rebind(context.obj, wanted, former or (), server=server, yes=yes, dry_run=dry_run)
