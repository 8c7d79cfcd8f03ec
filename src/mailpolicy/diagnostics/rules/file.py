"""Rules about the file itself, its keys and its values."""

from __future__ import annotations

from mailpolicy.diagnostics import ERROR
from mailpolicy.diagnostics.rules.rule import Rule

FILE = {
    "MP001": Rule(
        ERROR,
        "not UTF-8",
        "save the file as UTF-8",
        meaning="TOML files are UTF-8; in another encoding a byte could stand for any letter. The finding names "
        "the first byte that is not UTF-8. Nothing else in the file is checked until this is fixed.",
        example="""\
version = 1

# Jörg, Sales
[accounts."joerg@example.com"]
pop = true
""",
        given="if saved as ISO 8859-1, as some old editors do",
        encoding="iso8859-1",
    ),
    "MP002": Rule(
        ERROR,
        "not TOML",
        "mend the line named; common causes: a quote left open, yes/no instead of true/false, an address without "
        "quotes, a table written twice, conflict markers",
        meaning="The file cannot be read as TOML 1.1. The finding names the mistake and what to write instead; if it "
        "begins with `not TOML`, the place where reading ended, which may be a little after the mistake. Further "
        "mistakes are listed if the rest can still be read; nothing else of the file is looked at until all are mended.",
        example="""\
version = 1

[server
edition = "pro"
""",
        wrong="[server",
        right="[server]",
    ),
    "MP003": Rule(
        ERROR,
        "version missing",
        "write `version = 1` as the first line",
        meaning="The version says which keys exist and what they mean, so that a file from a newer mailpolicy is "
        "never half understood.",
        example="""\
[defaults]
imap = true
""",
        wrong="[defaults]",
        right="version = 1\n\n[defaults]",
    ),
    "MP004": Rule(
        ERROR,
        "unsupported version",
        "use a mailpolicy that supports this version",
        meaning="The file was written for another version of the format. A key that this mailpolicy does not know"
        " could be the one that restricts an account, so it decides nothing. Version 1 is the only one so"
        " far.",
        example="""\
version = 2
""",
    ),
    "MP005": Rule(
        ERROR,
        "unknown key",
        "correct the name or remove the key",
        meaning="This table has no such key. This is an error, because ignoring a misspelt restriction would "
        "leave a door open. The message suggests the nearest known name, or the table that the key "
        "belongs to.",
        example="""\
version = 1

[accounts."alice@example.com"]
pop = true
pop_lanonly = true
""",
        wrong="pop_lanonly = true\n",
        right="",
    ),
    "MP006": Rule(
        ERROR,
        "wrong type",
        "write a value of the type named",
        meaning='A switch is `true` or `false`, without quotes; `"on"`, `"yes"` and `1` are other types in TOML. '
        "`docs/file-format.md` lists the type of each key.",
        example="""\
version = 1

[accounts."alice@example.com"]
pop = "on"
""",
        wrong='pop = "on"',
        right="pop = true",
    ),
    "MP007": Rule(
        ERROR,
        "key of host.toml",
        "move the key to host.toml, which describes this machine",
        meaning="The policy is the same on every server and safe to merge, so it names no program, file or class."
        " Settings of one machine belong in its `host.toml`.",
        example="""\
version = 1
keyring_backend = "keyring.backends.SecretService.Keyring"
""",
        wrong='keyring_backend = "keyring.backends.SecretService.Keyring"\n',
        right="",
    ),
    "MP008": Rule(
        ERROR,
        "value not allowed",
        "write one of the values named",
        meaning="The type is right, but the key does not allow this value: the edition is `pro` or `standard`, in"
        " lower case, and a port is a number from 1 to 65535.",
        example="""\
version = 1

[server]
edition = "Pro"
""",
        wrong='edition = "Pro"',
        right='edition = "pro"',
    ),
}
