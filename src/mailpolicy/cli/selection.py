"""Read the names that the targets of an edit are given by. Malformed ones are refused before the store is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mailpolicy.cli import line_reader
from mailpolicy.edit.selection import Selection
from mailpolicy.errors import UsageError
from mailpolicy.policy import names
from mailpolicy.policy.lan import EntryRejected, lan_entry
from mailpolicy.system.files import MAX_FILE_SIZE

_ONE_PER_LINE = "give one address a line and nothing else"
_MAX_ERRORS_SHOWN = 20


def address(text: str) -> str:
    """Normalise an address. Raises UsageError."""
    try:
        return names.account_address(text)
    except names.NameRejected as error:
        raise UsageError(str(error)) from None


def entries(texts: Iterable[str]) -> tuple[str, ...]:
    """Return entries of the LAN or a network without repetitions; `-` stands for stdin.

    Raises UsageError naming those that are none.
    """
    found = _read(texts, _entry)
    if "-" in texts and not found:
        raise UsageError("stdin names no network: write one a line")
    return found


def _entry(text: str) -> str:
    lan_entry(text)
    return text


def addresses(texts: Iterable[str]) -> tuple[str, ...]:
    """Normalise addresses and drop repetitions; `-` stands for stdin. Raises UsageError naming the malformed ones."""
    return _read(texts, names.account_address)


def _read(texts: Iterable[str], one: Callable[[str], str]) -> tuple[str, ...]:
    """Return what `one` makes of each text, each once. Raises UsageError naming the texts that it rejects."""
    found: dict[str, None] = {}
    wrong: list[str] = []
    more = 0
    for text, number in _with_stdin(texts):
        try:
            found[one(text)] = None
        except (names.NameRejected, EntryRejected) as error:
            if len(wrong) >= _MAX_ERRORS_SHOWN:
                more += 1
            elif number is None:
                wrong.append(str(error))
            else:
                # A line of a list of addresses may go on with a password.
                why = names.line_refusal(text, _ONE_PER_LINE) if isinstance(error, names.NameRejected) else str(error)
                wrong.append(f"line {number}: {why}")
    if wrong:
        raise UsageError("; ".join(wrong) + (f"; and {more} more" if more else ""))
    return tuple(found)


def _with_stdin(texts: Iterable[str]) -> Iterator[tuple[str, int | None]]:
    """Yield the texts, with `-` replaced by the lines of stdin and their numbers; blank lines and comments are skipped."""
    for text in texts:
        if text != "-":
            yield text, None
            continue
        number = size = 0
        for part in line_reader.chunks("-", line_reader.open_lines("-")):
            size += sum(map(len, part))
            if size > MAX_FILE_SIZE:
                raise UsageError(f"more than {MAX_FILE_SIZE >> 20} MiB: not a list", file="-")
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
    """Return the targets that were named, in exactly one way. Raises UsageError.

    `in_defaults` is None for a command that edits accounts only.
    """
    ways = [texts, domain is not None, with_template is not None, everyone, in_template is not None, in_defaults]
    if sum(map(bool, ways)) != 1:
        problem = "targets are named in more than one way; use one of" if any(ways) else "no targets; name them with"
        accounts = "addresses, -, --domain, --with-template"
        layers = "--in-template or --in-defaults"
        raise UsageError(f"{problem} {accounts}{' or --all' if in_defaults is None else f', --all, {layers}'}")
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
