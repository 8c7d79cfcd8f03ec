"""Dovecot's passwd-file: a line for each account and service that is open, `allow_nets` where it is for the LAN only.

Promises: with the snippet of `dovecot_conf` Dovecot 2.3 and 2.4 admit exactly whom `check` allows; who is not listed, in
whatever spelling, is refused. Not promised: anything about Outlook Connector, which is IMAP to Dovecot.
Source: Dovecot's passwd-file and allow_nets; a key is `service/user`, in it a backslash stands before \\ " and '.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network

from mailpolicy.export.request import Exported, Request
from mailpolicy.export.stamp import HIDDEN, hidden
from mailpolicy.policy.model import Account, Policy
from mailpolicy.policy.names import unicode_address
from mailpolicy.policy.networks import ANYWHERE, NOWHERE, NetworkSet, network_set
from mailpolicy.policy.service import Service

SERVICES = {"imap": Service.IMAP, "pop3": Service.POP}
# Bytes of the file from which auth may run out of memory with the vsz_limit that Debian's Dovecot has (256 MiB): it takes
# up to 7 times the file's size; 35 MB were seen to work and 43 MB not to.
MANY = 17_000_000
_UNUSUAL = "+=~&'"


def export(request: Request) -> Exported:
    """The passwd-file."""
    policy, options = request.policy, request.options
    listing = _denied if options.strategy == "deny-list" else _admitted
    password = options.token or "*"
    tails_of: dict[str, tuple[str | None, ...]] = {}  # by key, for each service what stands behind it, None for no line
    groups = list(policy.alike())
    for alike in groups:
        tails = tuple(
            None if fields is None else f":{password}::::::{fields}"
            for fields in listing(policy, alike[0], options.lock)
        )
        if any(tail is not None for tail in tails):
            tails_of.update(dict.fromkeys([key for account in alike for key in keys(account.address)], tails))
    ordered = sorted(tails_of)
    lines = []
    for position, service in enumerate((*SERVICES, *options.lock)):
        prefix = f"{service}/"
        lines += [prefix + key + tail for key in ordered if (tail := tails_of[key][position]) is not None]
    lines.append("")
    body = "\n".join(lines)
    return Exported(body, tuple(_notes(request, groups, len(body))))


def keys(address: str) -> tuple[str, ...]:
    """The spellings under which Dovecot may look an account up, escaped: the A-labels, and the U-labels where there are any."""
    shown = unicode_address(address) if "xn--" in address else None
    spellings = (address,) if shown is None else (address, shown)
    return tuple(spelling.replace("'", "\\'") for spelling in spellings) if "'" in address else spellings


def _admitted(policy: Policy, account: Account, locked: tuple[str, ...]) -> Iterator[str | None]:
    """For each service the extra fields of the account's line; None where it is not listed and so refused."""
    for service in SERVICES.values():
        admitted = policy.admitted(account.address, service)
        yield None if not admitted else "" if admitted is ANYWHERE else f"allow_nets={_nets(admitted)}"
    for _ in locked:
        yield None if account.suspended else ""


def _denied(policy: Policy, account: Account, locked: tuple[str, ...]) -> Iterator[str | None]:
    """The reverse: an account is listed with the networks from which it is refused."""
    for service in SERVICES.values():
        admitted = policy.admitted(account.address, service)
        if admitted is ANYWHERE:
            yield None
        else:
            yield "" if admitted == NOWHERE else f"allow_nets={_nets(admitted.complement())},local"
    for _ in locked:
        yield "" if account.suspended else None


def _nets(networks: NetworkSet) -> str:
    return ",".join(str(network) for network in networks.networks())


def _notes(request: Request, groups: list[list[Account]], size: int) -> Iterator[str]:
    policy, options = request.policy, request.options
    if options.token is None:
        yield (
            "warning: no token is configured, so the password field is *: should Dovecot 2.4 ever read this file as an "
            "ordinary passdb, that is everybody's password: --token-file PATH"
        )
    if size > MANY:
        yield (
            f"warning: {size} bytes are more than auth may hold with the vsz_limit of a default Dovecot, "
            "and then nobody logs in: dovecot-conf writes a higher one, reload Dovecot with it first"
        )
    if options.strategy == "deny-list":
        yield (
            "warning: with deny-list whoever is not listed gets in, also when the file is missing and under every other "
            "spelling of a name that the site accepts"
        )
    if only := sum(_imap_only(policy, alike[0]) * len(alike) for alike in groups):
        yield (
            f"note: Outlook Connector is IMAP to Dovecot, so it is not closed apart: {only} "
            f"account{'s' if only > 1 else ''} may use IMAP and not Outlook Connector"
        )
    together = "".join(policy.accounts)
    unusual = [character for character in _UNUSUAL if character in together]
    if "@xn--" in together or ".xn--" in together:
        unusual.append("letters that are not ASCII")
    if unusual:
        yield f"note: Dovecot refuses {' '.join(unusual)} in names unless auth_username_chars has them: dovecot-conf sets it"


def _imap_only(policy: Policy, account: Account) -> bool:
    """Whether IMAP is open to the account and Outlook Connector, which the policy knows of, is not."""
    if not policy.server.outlook_connector_installed or not policy.admitted(account.address, Service.IMAP):
        return False
    return not policy.admitted(account.address, Service.CONNECTOR)


_LINE = re.compile(r"((?:imap|pop3|smtp|submission|sieve)/(?:[^:\\]|\\.)+:)([^:]*)(::::::.*)")


def masked(line: str) -> str:
    """A line without its password field, which may be the token; one of another form may be anybody's, and is hidden whole."""
    match = _LINE.fullmatch(line)
    if match is None:
        return hidden(line)
    return f"{match[1]}{match[2] if match[2] == '*' else HIDDEN}{match[3]}"


def listed(text: str) -> dict[str, str]:
    """The keys of a passwd-file of ours, each with its extra fields; what an earlier export admitted."""
    found = {}
    for line in text.splitlines():
        parts = line.split(":", 7)  # an IPv6 network has colons of its own
        if len(parts) == 8 and not line.startswith("#"):
            found[parts[0].replace("\\'", "'")] = parts[7]
    return found


def narrowed(old: str, new: str, strategy: str) -> list[str]:
    """The users whom an earlier export let in from addresses, or to services, from which the new one does not."""
    deny = strategy == "deny-list"
    before, after = listed(old), listed(new)
    users = {
        key.partition("/")[2]
        for key in (after if deny else before)
        if before.get(key) != after.get(key) and not _let_in(before.get(key), deny) <= _let_in(after.get(key), deny)
    }
    return sorted(users)


def _let_in(fields: str | None, deny: bool) -> NetworkSet:
    """From where a line with these extra fields lets in; None stands for no line."""
    if fields is None:
        return ANYWHERE if deny else NOWHERE
    texts = fields.removeprefix("allow_nets=").split(",") if fields else []
    try:
        networks = network_set(ip_network(text) for text in texts if text != "local") if texts else ANYWHERE
    except ValueError:  # somebody edited it; better a session too many is ended than one too few
        return ANYWHERE
    return networks.complement() if deny else networks
