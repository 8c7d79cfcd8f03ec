"""Table: the places in files where a name stands, and the commands that show it."""

from __future__ import annotations

import json
from typing import NamedTuple

from tests.real.proof.leaks.site import ALICE, BOB


class Slot(NamedTuple):
    """A place in a file where a name stands: what is replaced, by what, and commands that show it."""

    file: str
    old: str
    new: str  # `{}` is the name, `{json}` it in quotes, `{toml}` in TOML's
    lines: tuple[str, ...]


READERS = (
    "validate --hints",
    "validate --strict accounts.toml new.toml --format sarif",
    "validate --hints --format junit",
    "validate --hints --format github",
    "account list --headings",
    f"account show {ALICE}",
    f"account show {BOB}",
    "account export --format csv",
    "account export --format ndjson",
    "account export --format toml",
    "server show",
    "template list",
    "template show t",
    "network list",
    "network show branch",
    "multipop source list",
    f"smart-host show {ALICE}",
    "temporary list",
    f"check {ALICE} pop 203.0.113.9",
    "check --batch questions",
    "who",
    "test cases.toml --coverage",
    "diff new.toml accounts.toml",
    "diff accounts.toml new.toml --format markdown",
    "diff /dev/null accounts.toml --format json",
    "install new.toml --dry-run",
    f"pop off {ALICE} --dry-run",
    f"account suspend {ALICE} {BOB}",
    f"account remove {BOB} --yes",
    "network rename branch office",
    "secrets list",
    "secrets verify",
    "doctor",
    "deploy --check",
    "deploy --diff",
    "completion -- words smart-host set ''",
    "completion -- words template show ''",
    "completion -- words multipop source print-password bob@example.com ''",
    *(
        f"export {target}"
        for target in ("postfix-sasl-passwd", "postfix-sender-login", "exim-passwd", "fetchmail", "mpop")
    ),
    *("export dovecot", f"export getmail --source {BOB}/isp", "export sql --dialect sqlite"),
)
STORE = [
    ('login = "relay"', "login = {toml}"),
    ('smart_host_login = "a"', "smart_host_login = {toml}"),
    ('host = "smtp.relay.example"', "host = {toml}"),
    ('host = "pop.isp.example"', "host = {toml}"),
    ('login = "b"', "login = {toml}"),
    ('token = "office"', "token = {toml}"),
    ("sources.isp]", "sources.{toml}]"),
    ("branch = [", "{toml} = ["),
    ('"192.0.2.0/24"', "{toml}"),
    ("[templates.t]", "[templates.{toml}]"),
    ('[accounts."bob@example.com"]', '[accounts."bob@example.com"]\ntemplate = {toml}'),
    ('[accounts."bob@example.com"]', '[accounts."bob@example.com"]\n{toml} = true'),
    ('[accounts."bob@example.com"]', '[accounts."bob@example.com"]\nextra_lan = [{toml}]'),
    ('[accounts."carol@example.com"]', '[accounts.{toml}]\n[accounts."carol@example.com"]'),
    ("pop_lan_only = true", "pop_lan_only = true # {}"),
    ("pop_lan_only = true", "pop_lan_only = {}"),
    ("pop_lan_only = true", "pop_lan_only = {toml}"),
    ('edition = "pro"', "edition = {toml}"),
    ('edition = "pro"', 'edition = "pro"\ntime_zone = {toml}'),
    ('edition = "pro"', 'edition = "pro"\ngovern = [{toml}]'),
    ("until = 2099-12-31", "until = {toml}"),
    ("version = 1\n", "version = 1 # mailpolicy: ignore {}\n{toml} = 1\n"),
    ('auth = "xoauth2"', "auth = {toml}"),
]
SLOTS = [
    *(Slot("accounts.toml", old, new, READERS) for old, new in STORE),
    Slot(
        "host.toml",
        'keyring_backend = "mailpolicy.sealed.Keyring"',
        "keyring_backend = {toml}",
        ("secrets list", "doctor"),
    ),
    Slot(
        "host.toml",
        "journal = true",
        "journal = true\nkeyring_service = {toml}",
        ("secrets list", "validate --secrets", "doctor"),
    ),
    Slot("host.toml", "journal = true", "journal = true\ntrusted_group = {toml}", ("pop off --all", "doctor")),
    Slot("host.toml", "journal = true", "journal = true\n{toml} = {toml}", ("pop off --all", "doctor", "deploy")),
    Slot(
        "host.toml", "journal = true", "journal = true\ncases = {toml}", ("pop off --all", "doctor", "deploy --check")
    ),
    Slot(
        "host.toml", "journal = true", 'journal = true\ncases = "/{json}', ("pop off --all", "doctor", "deploy --check")
    ),
    Slot(
        "host.toml",
        "[exports.exim]",
        "[exports.{toml}]",
        ("deploy --check", "deploy --diff", "deploy", "doctor", "completion -- words deploy ''"),
    ),
    Slot("host.toml", 'target = "exim-passwd"', "target = {toml}", ("deploy --check", "doctor")),
    Slot(
        "host.toml",
        'target = "exim-passwd"',
        'target = "exim-passwd"\nowner = {toml}',
        ("deploy --check", "deploy", "doctor"),
    ),
    Slot("host.toml", 'reload = ["/bin/false"]', "reload = [{toml}]", ("deploy --check", "deploy", "doctor")),
    Slot(
        "host.toml",
        'reload = ["/bin/false"]',
        'reload = ["/bin/sh", "-c", "printf %s \\"$0\\" >&2; exit 1", {toml}]',
        ("deploy", "doctor"),
    ),
    Slot(
        "host.toml",
        "[tokens.office]",
        "[tokens.{toml}]",
        ("doctor", "multipop source print-password carol@example.com office"),
    ),
    Slot("host.toml", '"{{login}}"', "{toml}", ("doctor", "multipop source print-password carol@example.com office")),
    Slot("host.toml", "[tokens.office]", "[tokens.office]\nhosts = [{toml}]", ("doctor",)),
    *(
        Slot(
            "accounts.toml.log",
            old,
            new,
            ("log", "log --format json", f"log {ALICE}", "undo", "undo --dry-run", "undo 4f2a91c07d"),
        )
        for old, new in (
            ('"root"', "{json}"),
            ('"root"', '"root", "sudo_user": {json}'),
            ('"4f2a91c07d"', "{json}"),
            ('"2026-11-27T12:00:00Z"', "{json}"),
            ('"mailpolicy pop on alice@example.com"', "{json}"),
            ('"pop"]', "{json}]"),
            ('"new": true', '"new": {json}'),
            ('"event"', "{json}"),
        )
    ),
    *(
        Slot(
            "cases.toml",
            old,
            new,
            (
                "test cases.toml",
                "test cases.toml --format junit",
                "test cases.toml --format github",
                "test cases.toml --format json",
            ),
        )
        for old, new in (
            ('"alice@example.com"', "{toml}"),
            ('protocol = "pop"', "protocol = {toml}"),
            ('ip = "10.0.0.1"', "ip = {toml}"),
            ('expect = "deny"', "expect = {toml}"),
            ('expect = "deny"', 'expect = "deny"\nreason = {toml}'),
            ('expect = "deny"', 'expect = "deny"\nname = {toml}'),
            ("[[case]]", "[[case]]\n{toml} = 1"),
        )
    ),
    *(
        Slot("plan.csv", old, new, ("apply plan.csv", "apply plan.csv --dry-run", "apply plan.csv --prune --yes"))
        for old, new in (("alice@example.com", "{csv}"), ("off", "{csv}"), ("pop", "{csv}"), ("new@example.com", "{}"))
    ),
    *(
        Slot("mdaemon.csv", old, new, ("import mdaemon mdaemon.csv", "import mdaemon mdaemon.csv --dry-run"))
        for old, new in (('"new"', "{csv}"), ('"example.com"', "{csv}"), ('"Password"', "{csv}"), ("Yes", "{csv}"))
    ),
    *(
        Slot("log", old, new, ("replay log", "replay log --strict", "replay log --format json", "doctor --log log"))
        for old, new in (
            ("user=<alice@example.com>", "user=<{}>"),
            ("rip=203.0.113.9", "rip={}"),
            ("mx1", "{}"),
            ("method=PLAIN", "method={}"),
            ("Jun 12", "{}"),
        )
    ),
    Slot("lan.txt", "192.168.*.*", "{}", ("lan import lan.txt",)),
    Slot("questions", "alice@example.com pop 10.0.0.1", "{} pop 10.0.0.1", ("check --batch questions",)),
    Slot("questions", "alice@example.com pop 10.0.0.1", "alice@example.com {} 10.0.0.1", ("check --batch questions",)),
    Slot("questions", "alice@example.com pop 10.0.0.1", "alice@example.com pop {}", ("check --batch questions",)),
]


def written(slot: Slot, name: str) -> bytes:
    """Return what stands in a slot for a name."""
    quoted = json.dumps(name, ensure_ascii=False)
    fields = {"toml": _toml(name), "json": quoted, "csv": '"' + name.replace('"', '""') + '"'}
    new = slot.new
    for field, value in fields.items():
        new = new.replace("{" + field + "}", value)
    return new.replace("{}", name).encode("utf-8", "surrogateescape")


def _toml(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if ord(c) > 0x7F or (c.isprintable()) else f"\\u{ord(c):04x}" for c in escaped) + '"'
