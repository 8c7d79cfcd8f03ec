"""Rules about the LAN and the named networks."""

from __future__ import annotations

from mailpolicy.diagnostics import ERROR, HINT
from mailpolicy.diagnostics.rules.rule import Rule


def _entry(name: str, fix: str, *, meaning: str, wrong: str, right: str) -> Rule:
    """Return the rule about one entry, with a store that has only this entry as the example."""
    example = f'version = 1\n\n[server]\nlan = ["{wrong}"]\n'
    return Rule(ERROR, name, fix, meaning, example, f'lan = ["{wrong}"]', f'lan = ["{right}"]')


LAN = {
    "MP020": _entry(
        "not a LAN entry",
        "write a CIDR, an address, a range or trailing wildcards",
        meaning="An entry is a network in one of four forms: `10.0.0.0/8`, `10.0.0.1`, `10.0.0.1-10.0.0.9` or "
        "`192.168.*.*`; the first three also work for IPv6. Host names are not looked up, because whoever"
        " controls the DNS would then decide who is inside the LAN. Notations of other programs, such as "
        "`192.168.`, `10/8`, `[::1]/128` or several networks in one string, are refused with the form to "
        "write here.",
        wrong="10.0.0.",
        right="10.0.0.*",
    ),
    "MP021": _entry(
        "host bits set",
        "write the network's own address",
        meaning="The address before the `/` is not the first address of the network, so either the address or the"
        " length is a mistake. mailpolicy does not guess which one was meant.",
        wrong="10.0.0.1/8",
        right="10.0.0.0/8",
    ),
    "MP022": _entry(
        "netmask",
        "write the number of bits",
        meaning="Networks are written with their number of bits. A netmask and its inverse look alike and mean "
        "opposite things.",
        wrong="10.0.0.0/255.0.0.0",
        right="10.0.0.0/8",
    ),
    "MP023": _entry(
        "wildcard in the middle",
        "write one entry for each network",
        meaning="`*` stands for a whole part of an IPv4 address. Only the last parts may be wildcards, so that "
        "the entry is a single network.",
        wrong="10.*.4.*",
        right="10.0.4.*",
    ),
    "MP024": _entry(
        "leading zeros",
        "write the parts without leading zeros",
        meaning="Some programs read a number with a leading zero as octal, so `010` is 8 for one program and 10 "
        "for another.",
        wrong="192.168.010.0/24",
        right="192.168.10.0/24",
    ),
    "MP025": _entry(
        "range reversed or mixed",
        "write the lower address first, both of the same family",
        meaning="A range runs from its lower to its higher address, and both are IPv4 or both IPv6. A reversed "
        "range would be empty, and a mixed one has no meaning.",
        wrong="10.0.0.9-10.0.0.1",
        right="10.0.0.1-10.0.0.9",
    ),
    "MP026": _entry(
        "zone ID",
        "remove the % and everything after it",
        meaning="A zone ID names a network interface of one machine, but the policy is the same on every server.",
        wrong="fe80::1%eth0",
        right="fe80::1",
    ),
    "MP027": _entry(
        "entry too large",
        "use `anywhere`, or list the networks one by one",
        meaning="An entry holds at most an IPv4 /8 or an IPv6 /16 (except `fc00::/7` and `fe80::/10`); anything "
        "larger is the internet, not a network of one's own. It also may not hold more than an IPv4 /8 of translated "
        "addresses: `64:ff9b::/96`, `64:ff9b:1::/48`, `::/96` and `2002::/16` each stand for all of IPv4."
        " To allow access from everywhere use `mailpolicy imap anywhere`.",
        wrong="0.0.0.0/0",
        right="10.0.0.0/8",
    ),
    "MP028": Rule(
        ERROR,
        "not a network name",
        "use a-z, 0-9, _ and -, and not `lan`",
        meaning="A network's name has 1 to 63 of `a-z 0-9 _ -` and starts with a letter or a digit, so that it needs no "
        "quotes in TOML or in a shell. `lan` is the list `server.lan`, which every account has.",
        example='version = 1\n\n[networks]\nBranch = ["203.0.113.0/24"]\n\n[defaults]\nextra_lan = ["Branch"]\n',
        wrong='Branch = ["203.0.113.0/24"]\n\n[defaults]\nextra_lan = ["Branch"]',
        right='branch = ["203.0.113.0/24"]\n\n[defaults]\nextra_lan = ["branch"]',
    ),
    "MP029": Rule(
        ERROR,
        "no such network",
        "add the network to `[networks]`, or name one that exists",
        meaning="`extra_lan` lists names of `[networks]`, not addresses. This name is not there. It may have been meant to "
        "let somebody in or to keep somebody out, so nothing is decided.",
        example="""\
version = 1

[networks]
branch = ["203.0.113.0/24"]

[accounts."alice@example.com"]
extra_lan = ["brunch"]
""",
        wrong="brunch",
        right="branch",
    ),
    "MP051": Rule(
        HINT,
        "entry inside another",
        "remove the narrower entry, unless it should stay when the wider one is removed",
        meaning="Every address of this entry is also in another entry of the LAN, or of the same network, so it has "
        "no effect as long as the wider one exists. Shown with `--hints`.",
        example='version = 1\n\n[server]\nlan = ["10.0.0.0/8", "10.7.0.0/16"]\n',
        wrong=', "10.7.0.0/16"',
        right="",
    ),
    "MP052": Rule(
        HINT,
        "network that nobody uses",
        "remove it, or assign it to accounts",
        meaning="No `extra_lan` names this network, so it admits nobody. Shown with `--hints`.",
        example='version = 1\n\n[networks]\nbranch = ["203.0.113.0/24"]\n',
        wrong='[networks]\nbranch = ["203.0.113.0/24"]\n',
        right="",
    ),
}
