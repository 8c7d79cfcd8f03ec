"""The command check: answer whether an account may use a service from an IP address, once or for a batch of questions."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Annotated

import typer

from mailpolicy.cli import line_reader, views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.output import Output
from mailpolicy.cli.when import AtOption, as_of, when
from mailpolicy.errors import Advice, UsageError
from mailpolicy.policy.batch import BatchAnswers
from mailpolicy.policy.model import Gate, Policy
from mailpolicy.policy.names import counted, line_refusal
from mailpolicy.policy.nearest import nearest_address
from mailpolicy.policy.question import Question, QuestionRejected, question, require_governed
from mailpolicy.policy.service import Service
from mailpolicy.policy.verdict import judge
from mailpolicy.store.store import Store

if TYPE_CHECKING:
    from mailpolicy.policy.when import When

# White space that str.split() would take for a separator, though a batch is separated by blanks and tabs only.
_OTHER_SPACE = "\v\f\x1c\x1d\x1e\x1f"
_WIDE_SPACE = "[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_FIELDS = "expected three fields: ADDRESS PROTOCOL IP"
FirstReason = Callable[[str, str, str | None], Gate | None]


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Tell whether an account may use a protocol from an IP address, and why.\n\n"
        f"Protocols: {', '.join(Service)} (multipop needs no IP). Exit status: 0 allowed, 1 denied."
    )(_check)
    return command


def _check(
    context: typer.Context,
    address: Annotated[
        str | None,
        typer.Argument(metavar="ADDRESS", show_default=False, help="the account; on its own: show its services"),
    ] = None,
    protocol: Annotated[str | None, typer.Argument(metavar="PROTOCOL", help="the service", show_default=False)] = None,
    ip: Annotated[str | None, typer.Argument(metavar="IP", help="the client's address", show_default=False)] = None,
    batch: Annotated[
        str | None,
        typer.Option("--batch", metavar="FILE", help="answer lines ADDRESS PROTOCOL IP from FILE (- for stdin)"),
    ] = None,
    at: AtOption = None,
) -> int:
    out: Output = context.obj
    moment = when("--at", at)
    if batch is not None:
        if address is not None:
            raise UsageError("--batch reads the questions from its file and cannot be combined with ADDRESS")
        return _batch(out, batch, moment)
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
    verdict = judge(policy, asked)
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


def _batch(out: Output, name: str, at: When | None) -> int:
    # The batch is opened before the store, because a usage error (2) comes before an error of the store (3).
    descriptor = line_reader.open_lines(name)
    try:
        store, policy = views.open_store(out, at=at)
        status = (
            _objects(out, store, policy, line_reader.chunks(name, descriptor))
            if out.context.format == "json"
            else _lines(out, policy, line_reader.chunks(name, descriptor))
        )
    finally:
        if name != "-":
            os.close(descriptor)
    return status


def _lines(out: Output, policy: Policy, chunks: Iterable[list[str]]) -> int:
    # The hot path of a batch: methods are bound to names, and lines are put together without Output.record.
    first_reason = BatchAnswers(policy).first_reason
    number = 0
    denied = wrong = False
    for part in chunks:
        answers: list[str] = []
        add = answers.append
        fields_of = _fields_of(part)
        for line in part:
            number += 1
            fields = fields_of(line)
            try:
                if len(fields) == 3:
                    address, protocol, ip = fields
                    gate = first_reason(address, protocol, ip)
                elif not fields or fields[0][0] == "#":
                    continue
                else:
                    gate = _short_question(first_reason, fields)
            except QuestionRejected as error:
                # A comment of three words gets here; to look for "#" on every line first would cost more.
                if fields[0][0] == "#":
                    continue
                add(f"error\t{number}\t{line_refusal(line, error.reason)}")
                wrong = True
                continue
            if gate is None:
                add("allow\t-\t" + "\t".join(fields))
            else:
                denied = True
                add("deny\t" + gate + "\t" + "\t".join(fields))
        if answers:
            answers.append("")
            out.data("\n".join(answers))
            out.flush()
    return 2 if wrong else int(denied)


def _fields_of(lines: list[str]) -> Callable[[str], list[str]]:
    """Return the function that splits these lines at blanks and tabs: str.split, which is faster, if it does the same."""
    text = "".join(lines)
    if not any(map(text.__contains__, _OTHER_SPACE)) and (text.isascii() or not re.search(_WIDE_SPACE, text)):
        return str.split
    return _split_at_blanks


def _split_at_blanks(line: str) -> list[str]:
    return re.findall("[^ \t]+", line.removesuffix("\r"))


def _short_question(first_reason: FirstReason, fields: list[str]) -> Gate | None:
    if len(fields) != 2:
        raise QuestionRejected(_FIELDS)
    return first_reason(fields[0], fields[1], None)


def _objects(out: Output, store: Store, policy: Policy, chunks: Iterable[list[str]]) -> int:
    from mailpolicy.render import answer  # 2 ms, only for an answer with words

    number = 0
    denied = wrong = False
    line_of, lets_in = store.line_finder(), cache(policy.count_lan_only_accounts)
    for part in chunks:
        fields_of = _fields_of(part)
        for line in part:
            number += 1
            fields = fields_of(line)
            if not fields or fields[0][0] == "#":
                continue
            try:
                if not 2 <= len(fields) <= 3:
                    raise QuestionRejected(_FIELDS)
                asked = question(fields[0], fields[1], fields[2] if len(fields) == 3 else None)
                require_governed(policy, asked.service)
                verdict = judge(policy, asked)
            except QuestionRejected as error:
                wrong = True
                message = line_refusal(line, error.reason)
                out.json("error/1", {"exit": 2, "code": "usage", "line": number, "message": message, "fix": None})
                continue
            denied = denied or not verdict.allowed
            out.json("check/1", answer.content(verdict, store.path, line_of, lets_in))
        out.flush()
    return 2 if wrong else int(denied)
