"""Table: inputs that grow, in every way that could make a reader's work grow faster than they do."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from mailpolicy.sealed.format import Key, seal
from tests.readers import notes
from tests.review.logs import ALICE, PREFIXED, SYSLOG

HEAD = 'version = 1\n[server]\nedition = "pro"\n'
_LAN = 'version = 1\n[server]\nedition = "pro"\nlan = ["10.0.0.0/8"]\n'
Make = Callable[[int], str | bytes]


_CASE = """\
[[case]]
address = "alice@example.com"
protocol = "pop"
ip = ["10.0.0.0/8"]
expect = "deny"
"""


class Shape(NamedTuple):
    """A way to grow: the reader, the input of a size, and a size beyond which constants no longer matter."""

    reader: str
    make: Make
    size: int
    slack: int = 300_000  # bytes of memory that are taken whatever the size is, also by other threads


def lines(count: int, line: str, *, head: str = "", end: str = "\n") -> str:
    """Return a text with so many lines, in which {0} is the number of the line."""
    return head + "".join(line.format(number) + end for number in range(count))


def accounts(count: int, keys: str = "pop = true", head: str = _LAN) -> str:
    """Return a store with so many accounts, each with these keys."""
    return lines(count, f'[accounts."u{{0}}@x.example"]\n{keys}', head=head)


def _templates(count: int) -> str:
    names = lines(count, "[templates.office-{0:05}-of-the-north]\nimap = true", head=HEAD)
    return accounts(count, 'template = "offize-{0:05}-of-the-noth"', names)


def _letters(number: int) -> str:
    return "".join(chr(97 + number // 26**place % 26) for place in range(4))


def _near_misses(count: int) -> str:
    """Names that differ only in the second letter and the last ones, so that each must be compared to its end."""
    names = "".join(f"[templates.a{_letters(number)[0]}{'b' * 50}{_letters(number)}]\n" for number in range(count))
    wrong = (
        f'[accounts."u{number}@x.example"]\ntemplate = "ax{"b" * 50}{_letters(number)}q"\n' for number in range(count)
    )
    return HEAD + names + "".join(wrong)


def _sources(count: int) -> str:
    source = '[accounts."a@x.example".sources.s{0}]\nhost = "pop.example"\nlogin = "x"\ntls = "no"\nport = 0\n'
    return lines(count, source, head=f'{HEAD}[accounts."a@x.example"]\n')


def _users(
    count: int, inside: str = "<Mailbox>u{0}</Mailbox><Protocols><POP><Enabled>Yes</Enabled></POP></Protocols>"
) -> str:
    return f"<Users>{lines(count, f'<User>{inside}</User>')}<Domain>x.example</Domain></Users>"


def _keys(count: int) -> str:
    return ", ".join(f'"key{number}": 1' for number in range(count))


def _journal(count: int, **more: object) -> str:
    change = {"path": ["accounts", "alice@example.com", "pop"], "old": False, "new": True}
    edit = {"event": "edit", "time": "2026-11-27T12:00:00Z", "before": "0", "after": "0", "changes": [change], **more}
    return "".join(f"{json.dumps({**edit, 'id': f'{number:010x}'})}\n" for number in range(count))


def _sealed(count: int) -> bytes:
    secrets = {f"smart-host/u{number}@x.example/relay.example:587": "secret" for number in range(count)}
    return b"\0" + seal("secrets", Key(bytes(range(32))), 1, {"mailpolicy": secrets})


def _conflicts(count: int) -> str:
    return lines(count, "<<<<<<< a\npop{0} = true\n=======\npop{0} = false\n>>>>>>> b", head=HEAD)


_STORES: dict[str, tuple[Make, int]] = {
    "many accounts": (accounts, 300),
    "many accounts with Windows line ends": (lambda n: accounts(n).replace("\n", "\r\n"), 300),
    "many accounts written as inline tables": (
        lambda n: lines(n, '"u{0}@x.example" = {{ pop = true, extra_lan = [] }}', head=f"{HEAD}[accounts]\n"),
        100,
    ),
    "many accounts without a table": (lambda n: lines(n, '"u{0}@x.example" = 1', head=f"{HEAD}[accounts]\n"), 300),
    "many unknown keys in one account": (
        lambda n: lines(n, "key{0} = 1", head=f'{HEAD}[accounts."a@x.example"]\n'),
        800,
    ),
    "many misspelled keys": (lambda n: accounts(n, "pop_lanonly = true\nimapp = true"), 300),
    "many addresses that are none": (lambda n: accounts(n).replace("@x", "x"), 300),
    "many accounts written twice": (lambda n: accounts(n) + accounts(n, head="").replace("u", "U"), 200),
    "many templates and misspelled ones": (_templates, 150),
    "many names that are nearly alike": (_near_misses, 100),
    "many networks, each assigned once": (
        lambda n: accounts(
            n,
            'extra_lan = ["n{0}"]\npop_lan_only = true',
            lines(n, "n{0} = ['203.0.113.0/24']", head=f"{HEAD}[networks]\n"),
        ),
        80,
    ),
    "many networks that nobody uses": (
        lambda n: lines(n, "n{0} = ['203.0.113.0/24']", head=f"{_LAN}[networks]\n"),
        300,
    ),
    "many entries of the LAN": (
        lambda n: (
            f"{HEAD}lan = [{', '.join(f'{number!r}' for number in map('10.1.{0}'.format, (f'{i // 250}.{i % 250}' for i in range(n))))}]\n"
        ),
        300,
    ),
    "many entries inside one another": (
        lambda n: f"{HEAD}lan = [{', '.join(repr(f'10.0.0.0-10.{i // 250}.{i % 250}.9') for i in range(n))}]\n",
        150,
    ),
    "many entries that are none": (lambda n: f"{HEAD}lan = [{', '.join(repr(f'10.{i}/8') for i in range(n))}]\n", 200),
    "many sources of one account": (_sources, 150),
    "many accounts with dates": (
        lambda n: accounts(
            n, 'expires = 2026-12-31\n[accounts."u{0}@x.example".temporary]\nuntil = 2026-12-04\npop = true'
        ),
        80,
    ),
    "many comments that suppress": (lambda n: accounts(n, "pop = true # mailpolicy: allow MP031, MP032"), 300),
    "a long comment": (lambda n: f"{_LAN}# {'x' * n}\n", 200_000),
    "many comments": (lambda n: lines(n, "# {0} x", head=_LAN), 20_000),
    "a long string": (lambda n: f'{_LAN}time_zone = "{"x" * n}"\n', 200_000),
    "a long key": (lambda n: f"{_LAN}{'x' * n} = 1\n", 200_000),
    "a long address": (lambda n: f'{_LAN}[accounts."{"x" * n}@{"y." * n}"]\n', 50_000),
    "many blank lines": (lambda n: f"{_LAN}{chr(10) * n}x = 1\n", 50_000),
    "arrays in arrays": (lambda n: f"{_LAN}x = {'[' * n}{']' * n}\n", 150),
    "inline tables in inline tables": (lambda n: f"{_LAN}x = {'{a = ' * n}1{'}' * n}\n", 150),
    "a long array in arrays": (lambda n: f"{_LAN}x = {'[' * 50}{'1, ' * n}{']' * 50}\n", 2000),
    "many arrays of tables": (lambda n: lines(n, "[[x]]\na = 1", head=_LAN), 400),
    "many values without quotes": (lambda n: accounts(n, "pop = yes"), 1000),
    "many unclosed quotes": (lambda n: lines(n, 'k{0} = "x', head=HEAD), 1000),
    "an unclosed list": (lambda n: lines(n, '"10.0.0.{0}",', head=f"{HEAD}lan = [\n"), 1000),
    "many merge conflicts": (_conflicts, 500),
    "a table written many times": (lambda n: lines(n, "[defaults]", head=HEAD), 1000),
    "an inline table with a key twice": (
        lambda n: f"{HEAD}x = {{ {', '.join(f'a{i} = 1' for i in range(n))}, a0 = 1 }}\n",
        1000,
    ),
    "a line of nothing but words": (lambda n: f"{HEAD}{'a ' * n}\n", 5000),
    "bytes that are not UTF-8": (lambda n: accounts(n).encode() + b"\xff", 1000),
}
_PLANS: dict[str, tuple[Make, int]] = {
    "many rows of CSV": (lambda n: lines(n, "u{0}@x.example,on,off", head="address,pop,imap\n"), 150),
    "many bad rows of CSV": (lambda n: lines(n, "u{0}@x.example,maybe,1", head="address,pop,expires\n"), 300),
    "many rows about one account": (lambda n: lines(n, "a@x.example,on", head="address,pop\n"), 500),
    "many columns": (lambda n: f"address,{','.join(f'imap{i}' for i in range(n))}\n", 500),
    "a column many times": (lambda n: f"address{',pop' * n}\n", 2000),
    "a long cell": (lambda n: f'address,smart_host_login\na@x.example,"{"x" * n}"\n', 30_000),
    "many rows of JSON": (lambda n: lines(n, '{{"address": "u{0}@x.example", "pop": true}}'), 150),
    "many bad rows of JSON": (
        lambda n: lines(n, '{{"address": "u{0}@x.example", "sources": {{"x": {{"hots": 1}}}}}}'),
        100,
    ),
    "many keys in one object": (
        lambda n: f'{{"address": "a@x.example", {_keys(n)}}}\n',
        500,
    ),
    "objects in objects": (lambda n: f'{{"address": "a@x.example", "temporary": {"[" * n}{"]" * n}}}\n', 200),
    "many accounts in TOML": (lambda n: accounts(n, head="version = 1\n"), 150),
    "many accounts to remove": (lambda n: lines(n, "u{0}@x.example,inherit", head="address,pop\n"), 150),
}
_IMPORTS: dict[str, tuple[Make, int]] = {
    "many accounts of MDaemon": (
        lambda n: lines(n, "u{0},x.example,y,n", head="MailBox,Domain,AllowAccess,Other\n"),
        300,
    ),
    "many users in one answer": (_users, 150),
    "many users in answers of their own": (
        lambda n: "".join(f"<?xml version='1.0'?>{_users(1)}" for _ in range(n)),
        150,
    ),
    "users in users": (lambda n: "<User>" * n + "</User>" * n, 500),
    "many settings of one user": (
        lambda n: _users(1, f"<Mailbox>u</Mailbox>{''.join(f'<S{i}>Yes</S{i}>' for i in range(n))}"),
        500,
    ),
    "elements in elements": (lambda n: f"<Users>{'<a>' * n}{'</a>' * n}</Users>", 1000),
    "many declarations that do not end": (lambda n: "<a/>" + "<?xml " * n, 20_000),
    "many networks, one a line": (lambda n: "\n".join(f"10.1.{i // 256}.{i % 256}" for i in range(n)), 100),
    "many networks of other programs": (lambda n: lines(n, "10.{0}."), 150),
    "a line of many networks": (lambda n: "10.0.0.1, " * n, 2000),
    "a network with many wildcards": (lambda n: f"1:{'*:' * n}x", 20_000),
}
_LINES: dict[str, tuple[str, Make, int]] = {
    **{
        f"many lines such as number {number}": (
            "log",
            partial(lines, line=line.replace("{", "{{").replace("}", "}}")),
            100,
        )
        for number, line in enumerate(PREFIXED[::6])
    },
    "many logins of a known account": ("log", lambda n: lines(n, "alice@example.com pop 10.1.2.3 {0}"), 2000),
    "many logins of unknown accounts": ("log", lambda n: lines(n, "u{0}@x.example pop 10.1.2.3"), 200),
    "many spellings": ("log", lambda n: lines(n, "Alice@Example.com iMaP 10.1.2.3 {0}"), 300),
    "many clients": ("log", lambda n: lines(n, f"{SYSLOG} mx dovecot: imap-login: Login: {ALICE}{{0}}"), 100),
    "many broken lines": ("log", lambda n: lines(n, "no login {0}"), 1000),
    "many binary lines": ("log", lambda n: lines(n, "\x01\x02 {0} \x7f"), 1000),
    "many questions": ("batch", lambda n: lines(n, "alice@example.com pop 10.1.2.3"), 50),
    "many questions about unknown accounts": ("batch", lambda n: lines(n, "u{0}@x.example imap 10.1.2.3"), 50),
    "many questions that are none": ("batch", lambda n: lines(n, "u{0}@x.example,imap maybe"), 200),
    "many logins to import": (
        "logins",
        lambda n: lines(n, '{{"address": "u{0}@x", "login": "l", "password": "p"}}'),
        300,
    ),
    "many logins of one account": (
        "logins",
        lambda n: lines(n, '{{"address": "u@x", "login": "l", "password": "p"}}'),
        300,
    ),
}
_NOTES: dict[str, tuple[str, Make, int]] = {
    "many secrets": ("sealed", _sealed, 2000),
    "many edits": ("journal", _journal, 100),
    "many undone edits": ("journal", lambda n: _journal(n, undoes="0000000001"), 100),
    "many edits of one id": ("journal", lambda n: _journal(n).replace("0000000", "0123456"), 100),
    "many unreadable lines": ("journal", lambda n: lines(n, "not JSON {0}"), 500),
    "many blank lines": ("journal", lambda n: "\n" * n, 2000),
    "many changes in one edit": (
        "journal",
        lambda n: _journal(1, changes=[{"path": ["accounts", f"u{i}@x"], "renamed": f"v{i}@x"} for i in range(n)]),
        100,
    ),
    "many interrupted changes": ("notes", lambda n: lines(n, "smart-host/u{0}@x.example/relay:587"), 500),
    "many deployed lines": (
        "notes",
        lambda n: lines(n, "imap/u{0}@x.example:*::::::allow_nets=10.0.0.0/8", head=notes.BODY),
        150,
    ),
    "many passdbs": ("notes", lambda n: lines(n, "passdb p{0} {{\n  driver = static\n}}"), 150),
}
SHAPES: dict[str, Shape] = {
    **{f"store: {name}": Shape("store", *rest) for name, rest in _STORES.items()},
    **{f"plan: {name}": Shape("plan", *rest) for name, rest in _PLANS.items()},
    **{f"import: {name}": Shape("import", *rest) for name, rest in _IMPORTS.items()},
    **{f"{reader}: {name}": Shape(reader, make, size) for name, (reader, make, size) in (_LINES | _NOTES).items()},
    # The parser keeps a list of all beginnings of a key, and reads keys of a thousand parts at most.
    "store: a key of many parts": Shape("store", lambda n: f"{_LAN}{'a.' * n}a = 1\n", 300, 2_000_000),
    "store: a key of many parts without a value": Shape("store", lambda n: f"{HEAD}{'a . ' * n}a\n", 400, 2_000_000),
    "cases: many cases": Shape("cases", lambda n: lines(n, _CASE), 100),
    "cases: many wrong ones": Shape("cases", lambda n: lines(n, "[[case]]\nadress = 'a@x'\nip = '10.0.0.{0}/8'"), 200),
    "cases: many networks in one": Shape(
        "cases",
        lambda n: _CASE.replace('"10.0.0.0/8"', ", ".join(f'"10.{i // 256}.{i % 256}.0/24"' for i in range(n))),
        100,
    ),
    "host: many tokens": Shape("host", lambda n: lines(n, '[tokens.t{0}]\ncommand = ["/bin/x", "{{login}}"]'), 150),
    "host: many exports": Shape(
        "host", lambda n: lines(n, '[exports.e{0}]\ntarget = "dovecot"\npath = "/nonexistent/e{0}"'), 60
    ),
    "host: an unknown key of a token": Shape(
        "host", lambda n: f'[tokens.t]\ncommand = ["/bin/x"]\n{"x" * n} = 1\n', 50_000
    ),
}
