"""Problems of a store: a stable code, a key path and a sentence; a place in the text only when one is printed.

Promises: a code never changes its meaning and is never used again for another; the table here is the only list.
Not promised: the wording of the sentences.
"""

from __future__ import annotations

from typing import NamedTuple

KeyPath = tuple[str | int, ...]

ERROR, WARNING, HINT = "error", "warning", "hint"


class Rule(NamedTuple):
    """One kind of finding: its severity, a short name and what to do about it."""

    severity: str
    name: str
    cure: str


RULES: dict[str, Rule] = {
    "MP001": Rule(ERROR, "not UTF-8", "save the file as UTF-8"),
    "MP002": Rule(ERROR, "not TOML", "mend the syntax at the place named"),
    "MP003": Rule(ERROR, "version missing", "write `version = 1` as the first line"),
    "MP004": Rule(ERROR, "version not understood", "use a mailpolicy new enough for the file"),
    "MP005": Rule(ERROR, "unknown key", "correct the name or take the key out"),
    "MP006": Rule(ERROR, "wrong type", "write a value of the type named"),
    "MP007": Rule(ERROR, "key of host.toml", "move the key to host.toml, which describes this machine"),
    "MP008": Rule(ERROR, "value not allowed", "write one of the values named"),
    "MP010": Rule(ERROR, "not an account address", "write local-part@domain"),
    "MP011": Rule(ERROR, "the same account twice", "keep one of the two tables"),
    "MP012": Rule(ERROR, "no such template", "add the template, or name one that exists"),
    "MP013": Rule(ERROR, "not a template name", "use a-z, 0-9, _ and -"),
    "MP014": Rule(
        ERROR, "not a login", "write 1 to 255 characters, no control character, no white space at either end"
    ),
    "MP015": Rule(ERROR, "not a host", "write a domain name or an IP address"),
    "MP016": Rule(ERROR, "not a source name", "use a-z, 0-9, _ and -"),
    "MP017": Rule(ERROR, "source incomplete", "write host and login"),
    "MP018": Rule(ERROR, "nothing kept to delete", "write `keep = true`, or take delete_after_days out"),
    "MP020": Rule(ERROR, "not a LAN entry", "write a CIDR, an address, a range or trailing wildcards"),
    "MP021": Rule(ERROR, "host bits set", "write the network's own address"),
    "MP022": Rule(ERROR, "netmask", "write the number of bits"),
    "MP023": Rule(ERROR, "wildcard in the middle", "write one entry for each network"),
    "MP024": Rule(ERROR, "leading zeros", "write the parts without leading zeros"),
    "MP025": Rule(ERROR, "range reversed or mixed", "write the lower address first, both of one family"),
    "MP026": Rule(ERROR, "zone id", "leave out the % and what follows"),
    "MP027": Rule(ERROR, "too large for a LAN", "use `anywhere`, or write the networks one by one"),
    "MP030": Rule(WARNING, "Outlook Connector without IMAP", "switch IMAP on, or Outlook Connector off"),
    "MP031": Rule(WARNING, "public range in the LAN", "make sure that it is yours, then allow it on its line"),
    "MP032": Rule(WARNING, "IMAP under the standard edition", 'set `edition = "pro"`, or switch IMAP off'),
    "MP033": Rule(
        WARNING, "Outlook Connector not installed", "set `outlook_connector_installed = true`, or switch it off"
    ),
    "MP034": Rule(
        WARNING, "login without per-account authentication", "set `per_account_auth = true`, or clear the login"
    ),
    "MP035": Rule(WARNING, "LAN only with an empty LAN", "add the LAN's networks: mailpolicy lan add, or lan reset"),
    "MP036": Rule(WARNING, "server key missing", "write the key under [server]"),
    "MP037": Rule(WARNING, "unused template", "assign it, or remove it"),
    "MP038": Rule(WARNING, "comment that allows nothing", "take the comment out, or correct its code"),
    "MP039": Rule(WARNING, "store writable by others", "run the chown or chmod line that is named"),
    "MP040": Rule(WARNING, "source without TLS", 'write `tls = "implicit"` or `"starttls"` where the server has it'),
    "MP050": Rule(HINT, "the same as inherited", "take the key out, unless it is meant to pin"),
    "MP060": Rule(WARNING, "login without a password", "set it with the command that is named"),
    "MP061": Rule(WARNING, "unfinished change of a secret", "run the command that is named"),
}


class Problem(NamedTuple):
    """One finding: what is wrong (`code`, `message`) and with which key; `position` only where no key could be read."""

    code: str
    path: KeyPath
    message: str
    position: tuple[int, int] | None = None  # line and column, from 1

    @property
    def severity(self) -> str:
        """`error`, `warning` or `hint`."""
        return RULES[self.code].severity


class Finding(NamedTuple):
    """A problem placed in the text of a file."""

    file: str
    line: int
    column: int
    problem: Problem

    def __str__(self) -> str:
        code, _, message, _ = self.problem
        return f"{self.file}:{self.line}:{self.column}: {self.problem.severity}[{code}]: {message}"


def dotted(path: KeyPath) -> str:
    """A key path as TOML writes it: `accounts."alice@example.com".pop`, array elements as `[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        bare = part != "" and part.isascii() and part.replace("-", "a").replace("_", "a").isalnum()
        quoted = part if bare else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
        text += f".{quoted}" if text else quoted
    return text
