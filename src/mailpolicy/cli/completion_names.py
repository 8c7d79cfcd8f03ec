"""Complete names from the store and from host.toml. A file that cannot be read raises a MailpolicyError.

A TAB should be quick, so what only few kinds of names need is imported by those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.cli.command_line import Line
from mailpolicy.errors import MailpolicyError
from mailpolicy.policy.service import GOVERNABLE, Service

if TYPE_CHECKING:
    from mailpolicy.policy.model import Policy

FILES = ":files"  # stands for candidates: the shell completes file names itself
_MAX_ADDRESSES = 1000  # a longer list helps nobody


class Candidate(NamedTuple):
    """A word that may be completed, and its description."""

    word: str
    help: str = ""


Values = Callable[[Line], Iterable[Candidate] | str]


def accounts(line: Line) -> list[Candidate]:
    """Return the accounts that begin with the word, without those that the line names already."""
    from mailpolicy.store import addresses

    context = line.out.context
    given = set(line.positionals)
    known = addresses.beginning_with(context.file, line.current, _MAX_ADDRESSES, line.out.cache)
    return [Candidate(address) for address in known if address not in given]


def new_accounts(line: Line) -> list[Candidate]:
    """Return the domains for the address of an account that is not there yet, behind its local part."""
    local, at, _ = line.current.partition("@")
    return [Candidate(f"{local}@{domain.word}") for domain in domains(line)] if at else []


def domains(line: Line) -> list[Candidate]:
    """Return the domains of the accounts."""
    from mailpolicy.store import addresses

    return [Candidate(domain) for domain in addresses.domains(line.out.context.file, line.out.cache)]


def _policy(line: Line, *names: str) -> Policy:
    from mailpolicy.store.store import Store

    return Store.read_for_lookup(line.out.context.file, names, line.out.cache).policy()


def templates(line: Line) -> list[Candidate]:
    """Return the templates."""
    return [Candidate(name) for name in _policy(line).templates]


def sources(line: Line) -> list[Candidate]:
    """Return the sources of the account that the line names."""
    address = line.positionals[0]
    account = _policy(line, address).accounts.get(address)
    return [Candidate(name, source.host) for name, source in account.sources.items()] if account is not None else []


def networks(line: Line) -> list[Candidate]:
    """Return the named networks."""
    return [Candidate(name) for name in _policy(line).networks]


def entries(line: Line) -> list[Candidate]:
    """Return the entries of the network that the line names, or of the LAN list."""
    policy = _policy(line)
    network = policy.networks.get(line.positionals[0]) if line.path != "lan remove" else None
    if line.path != "lan remove" and network is None:
        return []
    return [Candidate(entry.text) for entry in (network.entries if network else policy.server.lan_entries)]


def protocols(line: Line) -> list[Candidate]:
    """Return the services that the store governs; all of them if it cannot be read."""
    services: Iterable[Service] = Service
    with suppress(MailpolicyError):
        services = _policy(line).services
    return [Candidate(service, service.label) for service in services]


def governable(line: Line, *, governed: bool) -> list[Candidate]:
    """Return the services that the store can govern, and does or does not yet."""
    services = _policy(line).services
    return [Candidate(service, service.label) for service in GOVERNABLE if (service in services) is governed]


def exports(line: Line) -> list[Candidate]:
    """Return the exports in host.toml."""
    return [Candidate(name) for name in line.out.machine().settings.exports]


def tokens(line: Line) -> list[Candidate]:
    """Return the tokens in host.toml."""
    commands = line.out.machine().settings.tokens.values()
    return [Candidate(token.name, token.program) for token in commands]


def edits(line: Line) -> list[Candidate]:
    """Return the entries of the journal that can be undone, the newest first."""
    from mailpolicy.cli import history

    found = history.load(line.out).entries
    return [Candidate(one.id, one.command) for one in reversed(found) if one.id and not one.aborted]
