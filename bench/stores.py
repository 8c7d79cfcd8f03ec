"""Stores and questions to measure with: invented, alike on every machine, of the mixed shapes that real ones have.

Promises: the same arguments give the same text on every Python; a store of five accounts or more has no error and no
warning; its first account may use POP from anywhere, by a key of its own, its second from the LAN only.
Not promised: that a size or a seed keeps its text between versions of this module.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from random import Random

LAN = ("127.0.0.0/8", "10.0.0.0/8", "192.168.*.*", "172.16.4.10-172.16.4.40", "fd00:ac3e::/32")
DOMAINS = ("acme.example", "sales.acme.example", "acme-labs.example", "contractors.acme.example", "corp.local")
DEPARTMENTS = ("Management", "Sales", "Accounting", "Engineering", "Support", "Purchasing", "Warehouse", "Leavers")
FIRST_NAMES = ("alice", "benedikt", "carla", "dimitri", "elif", "fatou", "giulia", "henrik", "imani", "jonas", "mei")
LAST_NAMES = ("adler", "bianchi", "costa", "diallo", "engel", "fischer", "garcia", "haddad", "ito", "jansen", "kim")
REMARKS = (
    "# Reads mail with a text client.",
    "# Shares a desk; see the list of rooms.",
    "# Only until the audit ends.",
)
NOTES = ("asked for in the spring", "still collects from the old provider", "agreed with the head of department")

_HEAD = f"""\
# accounts.toml: who may use which mail service.
# Review every change of this file; `mailpolicy validate` must stay quiet.
version = 1

[server]
edition = "pro"
outlook_connector_installed = true
multipop = true
lan = [
{"".join(f'    "{entry}",' + chr(10) for entry in LAN)}]

[server.smart_host]
host = "smtp.relay.example"
port = 587
login = "acme-relay"                 # its password is in the keyring
per_account_auth = true

# What an account and its template leave out: everybody reads mail over IMAP.
[defaults]
imap = true

# Staff at a desk: no mail from outside the offices.
[templates.office]
imap_lan_only = true

[templates.contractor]
imap_lan_only = true
multipop = false

# Field staff work from anywhere, with Outlook.
[templates.field]
outlook_connector = true
imap_lan_only = false
"""

NETWORKS = """\
networks]
branch = ["100.64.0.0/16", "2001:db8:7::/48"]
home = ["98.51.100.7", "64.0.0.0/8"]
agency = ["32.0.0.0/8"]
"""

# The keys of an account, and how many of a hundred accounts have them.
_SHAPES: tuple[tuple[int, tuple[str, ...]], ...] = (
    (26, ('template = "office"',)),
    (17, ('template = "field"',)),
    (7, ('template = "contractor"',)),
    (12, ("pop = true", "pop_lan_only = true")),
    (8, ('template = "office"', "pop = true", "pop_lan_only = true")),
    (7, ("pop = true", "imap_lan_only = true")),
    (6, ("multipop = true",)),
    (5, ("pop = true", "pop_lan_only = true", "imap = false")),
    (5, ("outlook_connector = true", 'smart_host_login = "{local}.relay"')),
    (4, ('template = "field"', "suspended = true")),
    (3, ()),
)
_FIRST = (
    ("pop = true",),
    ("pop = true", "pop_lan_only = true"),
    *((f'template = "{name}"',) for name in ("office", "contractor", "field")),
)


def store(accounts: int, seed: int = 1) -> str:
    """The text of a store with that many accounts, in departments of about forty."""
    random = Random(seed)
    weights = [weight for weight, _ in _SHAPES]
    parts = [_HEAD]
    for number, address in enumerate(addresses(accounts)):
        if number % 40 == 0:
            parts.append(f"\n# ---- {DEPARTMENTS[number // 40 % len(DEPARTMENTS)]} {'-' * 50}\n")
        keys = _FIRST[number] if number < len(_FIRST) else random.choices(_SHAPES, weights)[0][1]
        parts.append("\n" + _account(random, address, keys))
    return "".join(parts)


def with_networks(text: str) -> str:
    """The store with three networks, of which one account in fifty has one or two, and a template one."""
    head, *accounts = text.split("\n[")
    names = ('["branch"]', '["home"]', '["branch", "home"]')
    number = 0
    for index, table in enumerate(accounts):
        if table.startswith("templates.contractor"):
            accounts[index] = table.replace("imap_lan_only = true\n", 'imap_lan_only = true\nextra_lan = ["agency"]\n')
        if '"' in table[:30] or "'" in table[:30]:
            number += 1
            if number % 50 == 0:
                header, _, rest = table.partition("\n")
                accounts[index] = f"{header}\nextra_lan = {names[number // 50 % 3]}\n{rest}"
    return "\n[".join([head, NETWORKS, *accounts])


def _account(random: Random, address: str, keys: tuple[str, ...]) -> str:
    remark = f"{random.choice(REMARKS)}\n" if random.random() < 0.1 else ""
    lines = [key.format(local=address.partition("@")[0]) for key in keys]
    style = random.random()  # one in ten was written by somebody with habits of their own
    header = f"[accounts.'{address}']" if style < 0.04 else f'[ accounts . "{address}" ]' if style < 0.06 else ""
    if 0.06 <= style < 0.10:
        lines = [f"  {line.replace(' = ', '=')}" for line in lines]
    if lines and random.random() < 0.15:
        lines[-1] = f"{lines[-1]:<36} # {random.choice(NOTES)}"
    return remark + "\n".join([header or f'[accounts."{address}"]', *lines]) + "\n"


def changed(text: str, seed: int = 4) -> str:
    """The store with another template, or a switch the other way round, for about one account in twenty."""
    random = Random(seed)
    other = {
        'template = "office"': 'template = "field"',
        "pop_lan_only = true": "pop_lan_only = false",
        "multipop = true": "multipop = false",
        "suspended = true": "suspended = false",
    }
    lines = text.split("\n")
    for number, line in enumerate(lines):
        key, _, _ = line.partition("  ")
        if key in other and random.random() < 0.075:
            lines[number] = line.replace(key, other[key])
    return "\n".join(lines)


def addresses(accounts: int) -> list[str]:
    """The addresses of a store with that many accounts, in its order."""
    names = [f"{first}.{last}" for last in LAST_NAMES for first in FIRST_NAMES]
    return [
        f"{names[n % len(names)]}{n // len(names) or ''}@{DOMAINS[n // 40 % len(DOMAINS)]}" for n in range(accounts)
    ]


def questions(count: int, accounts: int, seed: int = 2) -> list[tuple[str, str, str]]:
    """Questions on such a store: any account as likely as any other, a few unknown, nearly all IPs different."""
    random = Random(seed)
    known = addresses(accounts)
    protocols = random.choices(
        ("imap", "pop", "outlook-connector", "multipop", "imaps", "pop3"), (58, 16, 8, 8, 7, 3), k=count
    )
    return [(_asked(random, known), protocol, _ip(random)) for protocol in protocols]


def _asked(random: Random, known: list[str]) -> str:
    address = random.choice(known)
    spelling = random.random()
    if spelling < 0.02:
        return address.title()
    return f"left.{address}" if spelling < 0.04 else address


def _ip(random: Random) -> str:
    kind = random.random()
    if kind < 0.03:
        return f"::ffff:{_ipv4(random)}"
    if kind < 0.07:
        return str(IPv6Address((0xFD00AC3E << 96) + random.getrandbits(64)))
    if kind < 0.10:
        return str(IPv6Address((0x2001_0DB8 << 96) + random.getrandbits(96)))
    return _ipv4(random)


def _ipv4(random: Random) -> str:
    inside = random.random()
    if inside < 0.40:
        return str(IPv4Address((10 << 24) + random.getrandbits(24)))
    if inside < 0.60:
        return f"192.168.{random.randrange(256)}.{random.randrange(256)}"
    return str(IPv4Address(random.randrange(0x0B000000, 0x7F000000)))  # outside, the whole way up to 126.255.255.255
