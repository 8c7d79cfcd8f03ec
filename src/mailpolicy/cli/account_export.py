"""Write accounts in the forms that apply reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailpolicy.cli import views
from mailpolicy.cli.output import Output
from mailpolicy.errors import Refused, UsageError
from mailpolicy.policy import names
from mailpolicy.policy.lookup import no_domain
from mailpolicy.policy.names import counted

if TYPE_CHECKING:
    from mailpolicy.provisioning import accounts

FORMATS = ("text", "json", "csv", "ndjson", "toml")  # text is CSV, and json the objects of NDJSON
_NAMED = 20  # values that a message names


def write(out: Output, domain: str | None, *, effective: bool) -> int:
    """Write all accounts, or those of a domain."""
    from mailpolicy.provisioning import accounts  # 6 ms with csv, not for the other commands of accounts

    try:
        domain = names.domain_name(domain) if domain is not None else None
    except names.NameRejected as error:
        raise UsageError(f"--domain: {error}") from None
    _, policy = views.open_store(out)
    chosen = [account for account in policy.accounts.values() if domain in (None, account.domain)]
    if domain is not None and not chosen:
        raise no_domain(domain)
    if effective and (excepted := sum(bool(account.in_force) for account in chosen)):
        what = counted(excepted, "account")
        out.message(f"note: an exception is in force for {what}; its settings are written as if they were permanent")
    rows = (
        (account.address, accounts.effective(policy, account) if effective else accounts.written(account))
        for account in chosen
    )
    match out.context.format:
        case "json" | "ndjson":
            for address, keys in rows:
                out.json("account-export/1", accounts.as_object(address, keys))
        case "toml":
            from mailpolicy.edit.text import splices  # 20 ms, only for TOML

            _write_text(out, splices.new_text(accounts.as_tables(rows)))
        case _:
            try:
                table = accounts.as_csv(rows)
            except accounts.NotInCsv as error:
                raise Refused(f"{error}: use --format ndjson", code="not-in-csv") from None
            _write_text(out, table.text)
            _tell(out, table)
    return 0


def _tell(out: Output, table: accounts.Table) -> None:
    left_out = [
        counted(number, noun) for number, noun in ((table.exceptions, "exception"), (table.sources, "source")) if number
    ]
    if left_out:
        out.message(f"CSV leaves out {names.joined(left_out)}: for these use --format ndjson or --format toml")
    for address, key in table.calculated[:_NAMED]:
        out.message(f"warning: a spreadsheet would calculate the {key} of {address}")
    if (more := len(table.calculated) - _NAMED) > 0:
        out.message(f"warning: and {counted(more, 'more value')}")


def _write_text(out: Output, text: str) -> None:
    """Write a file, byte for byte to a program and escaped to a terminal."""
    if out.context.stdout_is_terminal or out.context.in_workflow:
        out.lines(text.removesuffix("\n").split("\n"))
    else:
        out.data(text)
