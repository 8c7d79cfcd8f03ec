"""The options that name targets, and from them the targets.

Promises: exactly one way of naming is used; malformed names are refused before the store is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from mailpolicy.cli import line_reader
from mailpolicy.edit.selection import Selection
from mailpolicy.errors import UsageError
from mailpolicy.policy import names
from mailpolicy.system.files import LARGEST

Addresses = Annotated[
    list[str] | None,
    typer.Argument(metavar="TARGET...", help="addresses, or - to read them from stdin, one a line", show_default=False),
]
Domain = Annotated[
    str | None, typer.Option("--domain", metavar="NAME", help="all accounts of a domain, not of its subdomains")
]
WithTemplate = Annotated[
    str | None, typer.Option("--with-template", metavar="NAME", help="all accounts that use a template")
]
Everyone = Annotated[bool, typer.Option("--all", help="all accounts")]
InTemplate = Annotated[str | None, typer.Option("--in-template", metavar="NAME", help="the template itself")]
InDefaults = Annotated[bool, typer.Option("--in-defaults", help="the defaults themselves")]
SkipUnknown = Annotated[bool, typer.Option("--skip-unknown", help="pass over addresses that are not in the store")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask before changing more than 20 accounts")]
YesRemove = Annotated[
    bool, typer.Option("--yes", "-y", help="do not ask before removing passwords, or more than 20 accounts")
]
YesSend = Annotated[bool, typer.Option("--yes", "-y", help="do not ask before passwords go to another destination")]
YesDelete = Annotated[bool, typer.Option("--yes", "-y", help="do not ask before a password is deleted")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="print the diff and change nothing")]

_ONE_EACH = "a line holds one address and nothing else"
_MOST_TOLD = 20  # malformed addresses that are told one by one


def address(text: str) -> str:
    """A normalised address. Raises UsageError."""
    try:
        return names.account_address(text)
    except names.NameRejected as error:
        raise UsageError(str(error)) from None


def addresses(texts: Iterable[str]) -> tuple[str, ...]:
    """Normalised addresses, each once; `-` stands for those on stdin. Raises UsageError with the malformed ones."""
    found: dict[str, None] = {}
    wrong: list[str] = []
    more = 0
    for text, number in _with_stdin(texts):
        try:
            found[names.account_address(text)] = None
        except names.NameRejected as error:
            told = str(error) if number is None else f"line {number}: {names.line_refusal(text, _ONE_EACH)}"
            if len(wrong) < _MOST_TOLD:
                wrong.append(told)
            else:
                more += 1
    if wrong:
        raise UsageError("; ".join(wrong) + (f"; and {more} more" if more else ""))
    return tuple(found)


def _with_stdin(texts: Iterable[str]) -> Iterator[tuple[str, int | None]]:
    """The texts; in the place of `-` the lines of stdin that say something, with their numbers."""
    for text in texts:
        if text != "-":
            yield text, None
            continue
        number = size = 0
        for part in line_reader.chunks("-", line_reader.opened("-")):
            size += sum(map(len, part))
            if size > LARGEST:
                raise UsageError(f"more than {LARGEST >> 20} MiB, which is no list of addresses", file="-")
            for line in part:
                number += 1
                if (stripped := line.strip()) and not stripped.startswith("#"):
                    yield stripped, number


def targets(
    texts: list[str] | None,
    *,
    domain: str | None = None,
    with_template: str | None = None,
    everyone: bool = False,
    in_template: str | None = None,
    in_defaults: bool | None = None,
    skip_unknown: bool = False,
) -> Selection:
    """The targets that were named; `in_defaults` is None for a command that has no layers. Raises UsageError."""
    ways = [texts, domain is not None, with_template is not None, everyone, in_template is not None, in_defaults]
    if sum(map(bool, ways)) != 1:
        what = "name the targets in one way only" if any(ways) else "name the targets"
        accounts = "addresses, -, --domain, --with-template"
        layers = "--in-template or --in-defaults"
        raise UsageError(f"{what}: {accounts}{' or --all' if in_defaults is None else f', --all, {layers}'}")
    try:
        if domain is not None:
            domain = names.domain_name(domain)
        for name in (with_template, in_template):
            if name is not None:
                names.template_name(name)
    except names.NameRejected as error:
        raise UsageError(str(error)) from None
    return Selection(
        addresses(texts or ()), domain, with_template, everyone, in_template, bool(in_defaults), skip_unknown
    )
