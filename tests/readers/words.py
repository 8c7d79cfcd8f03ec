"""Words that a fuzzer puts into inputs: keys, names and signs that the readers look for."""

from __future__ import annotations

from collections.abc import Iterator

from mailpolicy.policy.model import Gate
from mailpolicy.policy.service import BY_NAME
from mailpolicy.review.cases import KEYS
from mailpolicy.store.tables import HOST_KEYS, TABLES

_SIGNS = [
    *('"""', "'''", "[[", "]]", "{", "}", "= ", ": ", "#", ",", ".", "\n", "\r\n", "\t", "inf", "nan", "0x1", "1e999"),
    *("10.0.0.0/8", "10.0.0.1-10.0.0.9", "192.168.*.*", "::1", "fe80::/10", "::ffff:10.0.0.1", "%eth0", "[::1]/128"),
    *("a@x.example", "@", "xn--", "\u00fc", "\u212a", "\u202e", "\ufeff", "\x1b", "\0", "\\u0000", "\\ud800", "\\"),
    *("2026-12-31", "0001-01-01", "9999-12-31", "T00:00:00", "+14:00", "-12:00", "Z", "00:00:00.000001"),
    *(
        "true",
        "false",
        "null",
        "inherit",
        "on",
        "yes",
        "-",
        '"address": ',
        '"path": ',
        '"old": ',
        '"new": ',
        "[]",
        "{}",
    ),
    *("imap-login: Login: ", "user=<", "rip=", "dovecot: ", "smtpd[1]: ", "sasl_username=", "client=", "MESSAGE="),
    *("<<<<<<< ", "=======", ">>>>>>> ", "# mailpolicy: allow MP031", "\u201c", "<?xml ?>", "<User>", "</", "&amp;"),
    *("# services: ", "# no longer covered", " since ", "sha256 ", "allow_nets=", ",local", "passdb {", "protocol "),
]


def words() -> Iterator[str]:
    """Yield the words, each as libFuzzer's dictionaries write it between quotes."""
    keys = [key for table in TABLES.values() for key in table.keys]
    for word in dict.fromkeys([*_SIGNS, *keys, *KEYS, *HOST_KEYS, *BY_NAME, *map(str, Gate)]):
        yield "".join(f"\\x{byte:02x}" for byte in word.encode())
