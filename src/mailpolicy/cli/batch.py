"""Answer a file of questions, one verdict a line, as soon as the questions arrive."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

from mailpolicy.cli import line_reader, views
from mailpolicy.cli.output import Output
from mailpolicy.policy.batch import BatchAnswers
from mailpolicy.policy.model import Gate, Policy
from mailpolicy.policy.names import line_refusal
from mailpolicy.policy.question import QuestionRejected, question, require_governed
from mailpolicy.policy.verdict import judge
from mailpolicy.store.store import Store

if TYPE_CHECKING:
    from mailpolicy.policy.when import When

# White space that str.split() would take for a separator, though a batch is separated by blanks and tabs only.
_OTHER_SPACE = "\v\f\x1c\x1d\x1e\x1f"
_WIDE_SPACE = "[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_FIELDS = "expected three fields: ADDRESS PROTOCOL IP"
FirstReason = Callable[[str, str, str | None], Gate | None]


def answer_batch(out: Output, name: str, at: When | None) -> int:
    """Answer the questions in a file, or on stdin for `-`, as of a moment. Raises UsageError and StoreError."""
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
