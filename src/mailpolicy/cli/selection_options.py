"""Arguments and options of commands that edit: the targets, and the questions that are not asked."""

from __future__ import annotations

from typing import Annotated

import typer

Addresses = Annotated[
    list[str] | None,
    typer.Argument(metavar="TARGET...", help="addresses, or - to read one a line from stdin", show_default=False),
]
Domain = Annotated[
    str | None, typer.Option("--domain", metavar="NAME", help="all accounts of a domain, without subdomains")
]
WithTemplate = Annotated[
    str | None, typer.Option("--with-template", metavar="NAME", help="all accounts that use a template")
]
Everyone = Annotated[bool, typer.Option("--all", help="all accounts")]
InTemplate = Annotated[
    str | None, typer.Option("--in-template", metavar="NAME", help="change a template instead of accounts")
]
InDefaults = Annotated[bool, typer.Option("--in-defaults", help="change the defaults instead of accounts")]
SkipUnknown = Annotated[bool, typer.Option("--skip-unknown", help="skip addresses that are not in the store")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask before changing over 20 accounts")]
YesRemove = Annotated[
    bool, typer.Option("--yes", "-y", help="do not ask before removing passwords or over 20 accounts")
]
YesSend = Annotated[bool, typer.Option("--yes", "-y", help="do not ask before passwords get a new destination")]
YesSendOrDelete = Annotated[
    bool, typer.Option("--yes", "-y", help="do not ask before a password is sent elsewhere or deleted")
]
YesOpen = Annotated[bool, typer.Option("--yes", "-y", help="do not ask before opening a service to every account")]
YesDelete = Annotated[bool, typer.Option("--yes", "-y", help="do not ask before deleting a password")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="print the diff, change nothing")]
