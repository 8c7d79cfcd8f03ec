"""Answer whether an account may use a service from an IP address. Imports no Typer, so that plain.py can answer without it."""

from __future__ import annotations

from collections.abc import Mapping

from mailpolicy.cli import views
from mailpolicy.cli.context import Description
from mailpolicy.cli.output import Output
from mailpolicy.cli.when import AT, as_of, when
from mailpolicy.errors import Advice, UsageError
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted
from mailpolicy.policy.nearest import nearest_address
from mailpolicy.policy.question import Question, question, require_governed
from mailpolicy.policy.service import Service
from mailpolicy.policy.verdict import judge
from mailpolicy.store.store import Store

# Read by Typer (commands/check.py) and without it (plain.py). Their names are those of the parameters of `check`.
ARGUMENTS: Mapping[str, str] = {
    "ADDRESS": "the account; on its own: show its services",
    "PROTOCOL": "the service",
    "IP": "the client's address",
}
OPTIONS: Mapping[str, Description] = {
    "--batch": ("FILE", "answer lines ADDRESS PROTOCOL IP from FILE (- for stdin)"),
    "--at": AT,
}


def check(
    out: Output,
    address: str | None = None,
    protocol: str | None = None,
    ip: str | None = None,
    *,
    batch: str | None = None,
    at: str | None = None,
) -> int:
    """Answer one question or, with `batch`, a file of them; return the exit status."""
    moment = when("--at", at)
    if batch is not None:
        if address is not None:
            raise UsageError("--batch reads the questions from its file and cannot be combined with ADDRESS")
        from mailpolicy.cli.batch import answer_batch

        return answer_batch(out, batch, moment)
    if address is None:
        raise UsageError(
            "missing account, protocol and IP address",
            fix=("mailpolicy", "check", "ADDRESS", "PROTOCOL", "IP"),
        )
    if protocol is None:
        from mailpolicy.cli.selection import address as normalised  # 2 ms, only for one address without a protocol

        return views.show_account(out, normalised(address), moment)
    asked = question(address, protocol, ip)
    store, policy = views.open_store(out, [asked.address], at=moment)
    require_governed(policy, asked.service)
    verdict = judge(policy, asked, None if moment is None else out.now)
    if not out.context.quiet:
        from mailpolicy.render import answer  # 2 ms, only for an answer with words

        def lets_in() -> int:
            # Of a large store only the lines about this account were read; the count needs all accounts.
            whole = policy if store.subset is None else as_of(out, Store.read(store.path).policy(), moment)
            return whole.count_lan_only_accounts()

        if out.context.format == "json":
            out.json("check/1", answer.content(verdict, store.path, store.line, lets_in) | _sources(policy, asked))
        else:
            verbose = out.context.verbose
            out.lines(answer.lines(verdict, store.path, store.line, lets_in, out.command, verbose=verbose))
            _suggest(out, policy, asked.address)
            _report_sources(out, policy, asked)
    return 0 if verdict.allowed else 1


def _suggest(out: Output, policy: Policy, address: str) -> None:
    if address not in policy.accounts and (known := nearest_address(address, policy.accounts)) is not None:
        out.message(f"did you mean {known}?")


def _sources(policy: Policy, asked: Question) -> dict[str, int]:
    """Return the number of sources that MultiPOP would poll, if the question is about MultiPOP."""
    account = policy.accounts.get(asked.address)
    if asked.service is not Service.MULTIPOP or account is None:
        return {}
    return {"sources": len(policy.polled(account))}


def _report_sources(out: Output, policy: Policy, asked: Question) -> None:
    polled = _sources(policy, asked).get("sources")
    if polled is None:
        return
    total = len(policy.accounts[asked.address].sources)
    if total:
        shown = counted(polled, "source") if polled == total else f"{polled} of {total} sources"
        out.lines([f"  {shown} would be polled"])
    elif not policy.gates(asked.address, Service.MULTIPOP):
        add = ("mailpolicy", "multipop", "source", "add", asked.address, "NAME")
        out.detail(Advice("no sources to poll yet", add))
