"""Dovecot's passwd-file: a line for each account and service that is open, with `allow_nets` if it is LAN only.

The first line of the body names the services that the file covers, so that it can be compared with those that Dovecot
asks about. A service that is asked about and not covered would be closed to everybody.

With the snippet of `dovecot_conf`, Dovecot 2.3 and 2.4 admit the accounts that `check` allows, and refuse any user who
is not listed, in any spelling. To Dovecot, Outlook Connector is IMAP. Source: Dovecot's passwd-file and allow_nets; a
key is `service/user`, with a backslash before \\ " and '.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import NamedTuple

from mailpolicy.export.request import Exported, Request
from mailpolicy.export.stamp import MASK, masked_unless_plain
from mailpolicy.policy.account import Account
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted, unicode_address
from mailpolicy.policy.networks import ANYWHERE, NOWHERE, NetworkSet, network_set
from mailpolicy.policy.service import Service

# Dovecot's names. `smtp` is what Postfix and Exim ask about, on every port; `submission` is Dovecot's own server.
SERVICES = {
    "imap": Service.IMAP,
    "pop3": Service.POP,
    "smtp": Service.SMTP,
    "submission": Service.SMTP,
    "sieve": Service.SIEVE,
}
ALWAYS = tuple(name for name, service in SERVICES.items() if not service.facts.optional)
# Bytes of the file that auth surely holds with the vsz_limit of Debian's Dovecot (256 MiB). It takes up to 7 times the
# size of the file; 35 MB were seen to work, and 43 MB not to.
MAX_WITH_DEFAULT_LIMIT = 17_000_000
_UNUSUAL = "+=~&'"


def export(request: Request) -> Exported:
    """Return the passwd-file."""
    policy, options = request.policy, request.options
    listing = _denied if options.strategy == "deny-list" else _admitted
    password = options.token or "*"
    tails_of: dict[str, tuple[str | None, ...]] = {}  # by key: the rest of the line of each service, None for no line
    groups = list(policy.groups())
    services = governed(policy)
    for group in groups:
        tails = tuple(
            None if fields is None else f":{password}::::::{fields}" for fields in listing(policy, group[0], services)
        )
        if any(tail is not None for tail in tails):
            tails_of.update(dict.fromkeys([key for account in group for key in keys(account.address)], tails))
    ordered = sorted(tails_of)  # the same policy makes the same bytes
    lines = [f"# services: {' '.join(services)}"]
    for position, service in enumerate(services):
        prefix = f"{service}/"
        lines += [prefix + key + tail for key in ordered if (tail := tails_of[key][position]) is not None]
    lines.append("")
    body = "\n".join(lines)
    return Exported(body, tuple(_notes(request, groups, len(body))))


def governed(policy: Policy) -> tuple[str, ...]:
    """Return Dovecot's names of the services that the store decides about."""
    return tuple(name for name, service in SERVICES.items() if policy.governs(service))


def spellings(address: str) -> tuple[str, ...]:
    """Return the spellings under which Dovecot may look an account up: A-labels, and U-labels if they differ."""
    shown = unicode_address(address) if "xn--" in address else None
    return (address,) if shown is None else (address, shown)


def keys(address: str) -> tuple[str, ...]:
    """Return the spellings of an address as the file has them, with a backslash where it needs one."""
    found = spellings(address)
    return tuple(spelling.replace("'", "\\'") for spelling in found) if "'" in address else found


def admitted_nets(policy: Policy, account: Account, names: tuple[str, ...]) -> Iterator[str | None]:
    """Yield the value of allow_nets for each service: "" if it is open from anywhere, None if it is closed."""
    for name in names:
        admitted = policy.admitted(account.address, SERVICES[name])
        yield None if not admitted else "" if admitted is ANYWHERE else _nets(admitted)


def _admitted(policy: Policy, account: Account, names: tuple[str, ...]) -> Iterator[str | None]:
    """Yield the extra fields of the account's line for each service, or None to leave it out, which refuses it."""
    for nets in admitted_nets(policy, account, names):
        yield f"allow_nets={nets}" if nets else nets


def _denied(policy: Policy, account: Account, names: tuple[str, ...]) -> Iterator[str | None]:
    """Yield, for a deny list, the extra fields for each service: the networks from which the account is refused."""
    for name in names:
        admitted = policy.admitted(account.address, SERVICES[name])
        if admitted is ANYWHERE:
            yield None
        else:
            yield "" if admitted == NOWHERE else f"allow_nets={_nets(admitted.complement())},local"


def _nets(networks: NetworkSet) -> str:
    return ",".join(str(network) for network in networks.networks())


def _notes(request: Request, groups: list[list[Account]], size: int) -> Iterator[str]:
    policy, options = request.policy, request.options
    if options.token is None:
        yield (
            "warning: the password field is *; if Dovecot 2.4 ever reads this file as an ordinary passdb, * works as "
            "everybody's password: use --token-file PATH"
        )
    if size > MAX_WITH_DEFAULT_LIMIT:
        yield (
            f"warning: {size} bytes are more than Dovecot's auth process can hold with the default vsz_limit, and then "
            "nobody can log in: dovecot-conf sets a higher limit; reload Dovecot with it first"
        )
    if options.strategy == "deny-list":
        yield (
            "warning: deny-list admits everybody who is not listed, even if the file is missing, and under any other "
            "spelling of a name that the site accepts"
        )
    yield from notes_on_accounts(policy, groups, "dovecot-conf")


def notes_on_accounts(policy: Policy, groups: Iterable[Sequence[Account]], conf: str) -> Iterator[str]:
    """Yield notes about what Dovecot cannot tell apart, and about names for which it needs the configuration `conf`."""
    if only := sum(_imap_only(policy, group[0]) * len(group) for group in groups):
        yield (
            f"note: Dovecot cannot tell Outlook Connector from IMAP, so it stays open to {counted(only, 'account')} "
            "that may use IMAP only"
        )
    together = "".join(policy.accounts)
    unusual = [character for character in _UNUSUAL if character in together]
    if "@xn--" in together or ".xn--" in together:
        unusual.append("letters that are not ASCII")
    if unusual:
        yield f"note: Dovecot refuses {' '.join(unusual)} in names unless auth_username_chars allows them; {conf} does"


def _imap_only(policy: Policy, account: Account) -> bool:
    """Return whether the account may use IMAP but not Outlook Connector, on a server that has it."""
    if not policy.server.outlook_connector_installed or not policy.admitted(account.address, Service.IMAP):
        return False
    return not policy.admitted(account.address, Service.CONNECTOR)


_SERVICE = "|".join(SERVICES)
_LINE = re.compile(rf"((?:{_SERVICE})/(?:[^:\\]|\\.)+:)([^:]*)(::::::.*)")
_COVERING = re.compile(rf"^# services: ((?:{_SERVICE})(?: (?:{_SERVICE}))*)$", re.M)
_KEPT = "# no longer covered"
_KEEPING = re.compile(rf"^{_KEPT}(?: since (\S+))?: ((?:{_SERVICE})(?: (?:{_SERVICE}))*)$", re.M)


class Kept(NamedTuple):
    """The services whose lines a file only keeps, and since when Dovecot is known not to ask about them, None if it is not."""

    services: tuple[str, ...] = ()
    since: datetime | None = None


def masked(line: str) -> str:
    """Return a line without its password field, which may be the token; a line of another form is masked whole."""
    if _COVERING.fullmatch(line) or _KEEPING.fullmatch(line):
        return line
    match = _LINE.fullmatch(line)
    if match is None:
        return masked_unless_plain(line)
    return f"{match[1]}{match[2] if match[2] == '*' else MASK}{match[3]}"


def covered(text: str) -> tuple[str, ...]:
    """Return the services that a passwd-file covers, by its first comment; without one, those that have a line."""
    if (named := _COVERING.search(text)) is not None:
        return tuple(named[1].split(" "))
    present = {line.partition("/")[0] for line in text.splitlines()}
    return tuple(name for name in SERVICES if name in ALWAYS or name in present)


def kept(text: str) -> Kept:
    """Return what a passwd-file only keeps, as `keeping` does."""
    found = _KEEPING.search(text)
    if found is None:
        return Kept()
    return Kept(tuple(found[2].split(" ")), _moment(found[1] or ""))


def _moment(text: str) -> datetime | None:
    """Return a moment in UTC; None for anything else, which somebody has written by hand."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):  # in UTC it may be in the year 0 or 10000
        return None


def to_keep(body: str, old: str) -> Kept:
    """Return what a new body does not cover, but the old file covers or keeps."""
    now, before = covered(body), kept(old)
    services = tuple(dict.fromkeys(name for name in (*covered(old), *before.services) if name not in now))
    return Kept(services, before.since if services == before.services else None)


def keeping(body: str, old: str, keep: Kept) -> str:
    """Return a passwd-file's body with the old file's lines of services that it does not cover, as they were.

    A process of Dovecot's that has not read the new snippet goes on asking about them.
    """
    beginnings = tuple(f"{name}/" for name in keep.services)
    lines = (line for line in old.splitlines() if line.startswith(beginnings))
    return body + "".join(f"{line}\n" for line in (_heading(keep), *lines))


def dated(body: str, now: datetime) -> str:
    """Return a passwd-file's body with the time since when Dovecot does not ask about what it keeps."""
    keep = kept(body)
    return (
        body
        if keep.since is not None
        else _KEEPING.sub(_heading(keep._replace(since=now.astimezone(UTC))), body, count=1)
    )


def _heading(keep: Kept) -> str:
    since = f" since {keep.since:%Y-%m-%dT%H:%M:%SZ}" if keep.since is not None else ""
    return f"{_KEPT}{since}: {' '.join(keep.services)}"


def parsed(text: str) -> dict[str, str]:
    """Return the keys of an exported passwd-file, each with its extra fields."""
    found = {}
    for line in text.splitlines():
        parts = line.split(":", 7)  # an IPv6 network has colons of its own
        if len(parts) == 8 and not line.startswith("#"):
            found[parts[0].replace("\\'", "'")] = parts[7]
    return found


def narrowed(old: str, new: str, strategy: str) -> list[str]:
    """Return the keys `SERVICE/USER` that lose access, from all or from some addresses, when `new` replaces `old`.

    A service that a file does not cover is open to everybody.
    """
    deny = strategy == "deny-list"
    before, after = parsed(old), parsed(new)
    was, now = set(covered(old)), covered(new)
    lost = {
        key
        for key in (after if deny else before)
        if before.get(key) != after.get(key)
        and key.partition("/")[0] in now
        and not _admitted_by(before.get(key), deny) <= _admitted_by(after.get(key), deny)
    }
    if added := [name for name in now if name not in was]:
        users = {key.partition("/")[2] for key in (*before, *after)}
        lost |= set(restricted([f"{name}/{user}" for user in users for name in added], new, strategy))
    return sorted(lost)


def restricted(keys_of: Collection[str], text: str, strategy: str) -> list[str]:
    """Return those of the keys that a file refuses, from all or from some addresses."""
    lines, covers, deny = parsed(text), covered(text), strategy == "deny-list"
    return [
        key for key in keys_of if key.partition("/")[0] in covers and _admitted_by(lines.get(key), deny) != ANYWHERE
    ]


def _admitted_by(fields: str | None, deny: bool) -> NetworkSet:
    """Return the addresses that a line with these extra fields admits; None stands for no line."""
    if fields is None:
        return ANYWHERE if deny else NOWHERE
    texts = fields.removeprefix("allow_nets=").split(",") if fields else []
    try:
        networks = network_set(ip_network(text) for text in texts if text != "local") if texts else ANYWHERE
    except ValueError:  # edited by hand; ending a session too many is better than one too few
        return ANYWHERE
    return networks.complement() if deny else networks
