"""Validate and normalise the names of accounts, templates, logins and hosts, and show any text safely.

Two spellings of one address normalise to the same string. ASCII letters are lower-cased and nothing else in the local
part is folded, as in Dovecot; an internationalised domain becomes its IDNA 2008 A-labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOCAL = r"[a-z0-9_][a-z0-9_+=~&'-]*(?:\.[a-z0-9_+=~&'-]+)*"
_ADDRESS = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})*")
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
TEMPLATE_PATTERN = "[a-z0-9][a-z0-9_-]{0,62}"  # the name of a template, a network or a source
LAN = "lan"  # not the name of a network: the LAN of the whole server
ZONE_PATTERN = "[A-Za-z0-9._~-]+"  # of an IPv6 address; RFC 6874, 2
_LOCAL_MAX = 64  # RFC 5321, 4.5.3.1.1
_DOMAIN_MAX = 253  # RFC 1035, 2.3.4, without the length octets

# C0, DEL, C1, line separators, surrogates; then the characters that reorder text on a terminal, or that it does not show,
# among them letters and marks. Source: Unicode's DerivedCoreProperties, Default_Ignorable_Code_Point, and its format characters.
# Patterns are compiled at their first use: most runs need none of them, and re caches them.
_UNSAFE = (
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


class NameRejected(ValueError):
    """An invalid name; the text says why. `why` says it without the name, which may be a secret in the wrong place."""

    def __init__(self, name: str, why: str, detail: str = "") -> None:
        super().__init__(f"{name} {why}{detail}")
        self.why = why


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 account`, `2 accounts`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def joined(words: Iterable[str], last: str = "and") -> str:
    """Return words as a list in a sentence, such as `pop, imap and smtp`."""
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def printable(text: str) -> str:
    """Return `text` with control, separator, bidi and invisible characters escaped, such as `\\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_UNSAFE, lambda match: match.group().encode("unicode_escape").decode("ascii"), text)


MAX_LINE_BYTES = 1 << 16  # of a line of a list or a log
_FIRST_FIELD = r"\"?([\w.+=~&'-]*@[\w.-]*|[\w.+~&'-]*)"


def short(text: str) -> str:
    """Return `text` made printable; of a very long text, only the beginning and the end."""
    return printable(text if len(text) <= 80 else f"{text[:60]}...{text[-12:]}")


def json_printable(text: str) -> str:
    """Return a line of JSON with unprintable characters as JSON escapes; its value stays the same."""
    if text.isascii() and text.isprintable():
        return text
    from json import dumps

    return re.sub(_UNSAFE, lambda match: dumps(match.group())[1:-1].replace("\x7f", "\\u007f"), text)


def line_refusal(line: str, why: str) -> str:
    """Return the reason why a line of a list of addresses is refused.

    Only its first field is repeated, as anything after the first separator may be a password. `why` is the reason if
    that field is a valid address.
    """
    if len(line) > MAX_LINE_BYTES:
        why = f"the line is longer than {MAX_LINE_BYTES} bytes"
    line = line[:MAX_LINE_BYTES].strip("\0 \t\r\n")
    match = re.match(_FIRST_FIELD, line)
    first = match[1] if match is not None else ""
    rest = line[match.end() :].removeprefix('"') if match is not None else line
    if first:
        try:
            account_address(first)
            why = f"{printable(first)}: {why}"
        except NameRejected as error:
            why = str(error)
    if rest.startswith(":") and first != "mailto":
        why += "; this looks like a passwd file; to take its first field: cut -d: -f1"
    elif rest.startswith((",", ";")):
        why += f"; this looks like CSV; to take its first column: cut -d'{rest[0]}' -f1"
    return why


def account_address(text: str) -> str:
    """Return the normalised address of an account. Raise NameRejected with the reason."""
    if len(text) <= _LOCAL_MAX and _ADDRESS.fullmatch(text):
        return text  # normalised already, and short enough for both limits
    return _normalised(text)


def _normalised(text: str) -> str:
    shown = short(text)
    local, at, domain = text.rpartition("@")
    if not at:
        raise NameRejected(f"'{shown}'", "is not an address: it has no @; write name@domain")
    if "@" in local:
        raise NameRejected(f"'{shown}'", "is not an address: it has more than one @")
    if re.search(_UNSAFE, text) or text.split() != [text]:
        raise NameRejected(
            f"'{shown}'", "is not an address: it contains a space, a control character or an invisible character"
        )
    if not local.isascii():
        raise NameRejected(
            f"'{shown}'",
            "cannot be an account: only ASCII is allowed before the @, as mail servers fold the case of other letters differently",
        )
    local = local.lower()
    if not 1 <= len(local) <= _LOCAL_MAX:
        raise NameRejected(
            f"'{shown}'", f"is not an address: the part before the @ has {len(local)} characters, 1 to 64 are allowed"
        )
    if not re.fullmatch(_LOCAL, local):
        raise NameRejected(
            f"'{shown}'",
            "cannot be an account: before the @ only A-Z a-z 0-9 . _ + - = ~ & ' are allowed, "
            "starting with a letter, a digit or _, with no dot at the end or beside another",
        )
    return f"{local}@{domain_name(domain)}"


def domain_name(text: str) -> str:
    """Return the normalised mail domain: lower-case LDH labels, with A-labels if it is internationalised.

    Raise NameRejected. Source: RFC 5890 to 5894 through the package idna, with the non-transitional UTS 46 mapping, so
    that `faß.example` and `fass.example` stay different.
    """
    shown = short(text)
    if text.startswith("["):
        raise NameRejected(f"'{shown}'", "is an address literal: an account needs a domain name")
    if text.endswith("."):
        raise NameRejected(f"the domain '{shown}'", "ends in a dot: remove the dot")
    if len(text) > 4 * _DOMAIN_MAX:  # no mapping makes a text four times shorter
        raise NameRejected(f"the domain '{shown}'", f"has {len(text)} characters, at most {_DOMAIN_MAX} are allowed")
    if not text.isascii():
        import idna  # costs start-up, and few domains need it

        try:
            domain = idna.encode(text, uts46=True).decode("ascii").lower()
        except (idna.IDNAError, UnicodeError) as error:
            raise NameRejected(f"'{shown}'", "is not a domain name", f": {short(str(error)).lower()}") from None
    else:
        domain = text.lower()
    if len(domain) > _DOMAIN_MAX:
        raise NameRejected(f"the domain '{shown}'", f"has {len(domain)} characters, at most {_DOMAIN_MAX} are allowed")
    if not re.fullmatch(_DOMAIN, domain):
        raise NameRejected(
            f"'{shown}'",
            "is not a domain name: each label has 1 to 63 letters, digits or hyphens, with no hyphen at either end",
        )
    return domain


def unicode_address(address: str) -> str | None:
    """Return a normalised address with U-labels in its domain, or None if that is the same spelling.

    Source: RFC 5891, 4.2 and 5.5; a label without a U-label is kept.
    """
    local, _, domain = address.rpartition("@")
    if "xn--" not in domain:
        return None
    import idna  # costs start-up, and few domains need it

    labels = []
    for label in domain.split("."):
        try:
            labels.append(idna.decode(label) if label.startswith("xn--") else label)
        except (idna.IDNAError, UnicodeError):
            labels.append(label)
    shown = f"{local}@{'.'.join(labels)}"
    return None if shown == address else shown


def template_name(text: str) -> str:
    """Return a valid template name unchanged, or raise NameRejected."""
    return _plain_name(text, "template")


def network_name(text: str) -> str:
    """Return a valid name of a network unchanged, or raise NameRejected."""
    if text == LAN:
        raise NameRejected(f"'{LAN}'", "is the LAN of the whole server, not the name of a network: use another name")
    return _plain_name(text, "network")


def source_name(text: str) -> str:
    """Return a valid name of a MultiPOP source unchanged, or raise NameRejected."""
    return _plain_name(text, "source")


def token_name(text: str) -> str:
    """Return a valid name of what makes tokens unchanged, or raise NameRejected, whose message does not repeat it."""
    if re.fullmatch(TEMPLATE_PATTERN, text):
        return text
    # Somebody may have written the token itself.
    raise NameRejected(
        "the name of a token",
        "has 1 to 63 of a-z 0-9 _ - and starts with a letter or a digit: give the NAME of [tokens.NAME] in host.toml, "
        "never a token itself",
    )


def _plain_name(text: str, kind: str) -> str:
    if re.fullmatch(TEMPLATE_PATTERN, text):
        return text
    raise NameRejected(
        f"'{short(text)}'", f"is not a {kind} name: use 1 to 63 of a-z 0-9 _ -, starting with a letter or a digit"
    )


def login(text: str) -> str:
    """Return a valid login unchanged, or raise NameRejected."""
    if not 1 <= len(text) <= 255:
        raise NameRejected("a login", f"has 1 to 255 characters, this one has {len(text)}")
    if text != text.strip():
        raise NameRejected(f"the login '{printable(text)}'", "begins or ends with white space: remove it")
    if re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029]", text):
        raise NameRejected(f"the login '{printable(text)}'", "contains a control character: remove it")
    if re.search("[\ud800-\udfff]", text):
        raise NameRejected("the login", "is not valid UTF-8")
    return text


def host_name(text: str) -> str:
    """Return the normalised domain name or IP address of a host, or raise NameRejected."""
    if ":" in text:
        import ipaddress

        try:
            address = ipaddress.IPv6Address(text)
            if address.scope_id is None or re.fullmatch(
                ZONE_PATTERN, address.scope_id
            ):  # Python takes any text for a zone
                return str(address)
        except ValueError:
            pass
        raise NameRejected(f"'{short(text)}'", "is not a host: give the port separately")
    return domain_name(text)
