"""Which names accounts, templates and logins may have, and the one spelling each address is known by.

Promises: two spellings of one address normalise to the same string, ASCII letters are lower-cased and nothing else in
the local part is folded (as Dovecot does), an internationalised domain becomes its IDNA 2008 A-labels.
Not promised: that the mailbox or the domain exists.
"""

from __future__ import annotations

import re

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOCAL = r"[a-z0-9_][a-z0-9_+=~&'-]*(?:\.[a-z0-9_+=~&'-]+)*"
_ADDRESS = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})*")
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
TEMPLATE = "[a-z0-9][a-z0-9_-]{0,62}"  # a template's name or a source's
ZONE = "[A-Za-z0-9._~-]+"  # of an IPv6 address; RFC 6874, 2
_LOCAL_MAX = 64  # RFC 5321, 4.5.3.1.1
_DOMAIN_MAX = 253  # RFC 1035, 2.3.4, without the length octets

# C0, DEL, C1, the separators that break lines, and the characters that reorder or hide text on a terminal.
# Compiled where they are used: most runs use none of them, and re keeps what it compiled.
_UNSAFE = "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"


class NameRejected(ValueError):
    """A name that may not be used; the text says why."""


def counted(number: int, noun: str) -> str:
    """A number of things: `1 account`, `2 accounts`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def printable(text: str) -> str:
    """`text` with every control, separator, bidi or invisible character shown as an escape such as `\\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_UNSAFE, lambda match: match.group().encode("unicode_escape").decode("ascii"), text)


LONGEST_LINE = 1 << 16  # bytes of a line of a list or a log
_FIRST_FIELD = re.compile(r"\"?([\w.+=~&'-]*@[\w.-]*|[\w.+~&'-]*)")


def short(text: str) -> str:
    """`printable` text for a sentence: of what is very long, the beginning and the end."""
    return printable(text if len(text) <= 80 else f"{text[:60]}...{text[-12:]}")


def json_printable(text: str) -> str:
    """A line of JSON with every character that `printable` escapes as JSON's own escape: it still says the same."""
    if text.isascii() and text.isprintable():
        return text
    from json import dumps

    return re.sub(_UNSAFE, lambda match: dumps(match.group())[1:-1].replace("\x7f", "\\u007f"), text)


def line_refusal(line: str, why: str) -> str:
    """Say why a line of a list of addresses is refused; nothing of it is repeated beyond its first field.

    What follows the first separator may be a password. `why` is what is wrong if the first field is an address.
    """
    if len(line) > LONGEST_LINE:
        why = f"the line is longer than {LONGEST_LINE} bytes"
    line = line[:LONGEST_LINE].strip("\0 \t\r\n")
    match = _FIRST_FIELD.match(line)
    first = match[1] if match is not None else ""
    rest = line[match.end() :].removeprefix('"') if match is not None else line
    if first:
        try:
            account_address(first)
            why = f"{printable(first)}: {why}"
        except NameRejected as error:
            why = str(error)
    if rest.startswith(":"):
        why += "; this looks like a line of a passwd file, whose first field is: cut -d: -f1"
    elif rest.startswith((",", ";")):
        why += f"; this looks like CSV, whose first column is: cut -d'{rest[0]}' -f1"
    return why


def account_address(text: str) -> str:
    """The normalised form of an account's address.

    Raises NameRejected with a sentence that says what is wrong with it.
    """
    if len(text) <= _LOCAL_MAX and _ADDRESS.fullmatch(text):
        return text  # normalised already, and too short for either part to be too long
    return _normalised(text)


def _normalised(text: str) -> str:
    shown = short(text)
    local, at, domain = text.rpartition("@")
    if not at:
        raise NameRejected(f"'{shown}' is not an address: it has no @, write name@domain")
    if "@" in local:
        raise NameRejected(f"'{shown}' is not an address: it has more than one @")
    if re.search(_UNSAFE, text) or any(character.isspace() for character in text):
        raise NameRejected(f"'{shown}' is not an address: it has a space, a control or an invisible character")
    if not local.isascii():
        raise NameRejected(
            f"'{shown}' cannot be an account: only ASCII is allowed before the @, mail servers fold other letters differently"
        )
    local = local.lower()
    if not 1 <= len(local) <= _LOCAL_MAX:
        raise NameRejected(
            f"'{shown}' is not an address: the part before the @ has {len(local)} characters, 1 to 64 are allowed"
        )
    if not re.fullmatch(_LOCAL, local):
        raise NameRejected(
            f"'{shown}' cannot be an account: before the @ stand A-Z a-z 0-9 . _ + - = ~ & ', "
            "first a letter, a digit or _, and no dot at the end or beside another"
        )
    return f"{local}@{domain_name(domain)}"


def domain_name(text: str) -> str:
    """The normalised form of a mail domain: lower-case LDH labels, A-labels where it is internationalised.

    Raises NameRejected. Source: RFC 5890 to 5894 by way of the package idna, UTS 46 mapping without the transitional
    one, so that `faß.example` stays apart from `fass.example`.
    """
    shown = short(text)
    if text.startswith("["):
        raise NameRejected(f"'{shown}' is an address literal: an account needs a domain name")
    if text.endswith("."):
        raise NameRejected(f"the domain '{shown}' ends in a dot: leave the dot out")
    if len(text) > 4 * _DOMAIN_MAX:  # far more than any mapping makes shorter
        raise NameRejected(f"the domain '{shown}' has {len(text)} characters, at most {_DOMAIN_MAX} are allowed")
    if not text.isascii():
        import idna  # costs start-up, and few domains need it

        try:
            domain = idna.encode(text, uts46=True).decode("ascii").lower()
        except (idna.IDNAError, UnicodeError) as error:
            raise NameRejected(f"'{shown}' is not a domain name: {short(str(error)).lower()}") from None
    else:
        domain = text.lower()
    if len(domain) > _DOMAIN_MAX:
        raise NameRejected(f"the domain '{shown}' has {len(domain)} characters, at most {_DOMAIN_MAX} are allowed")
    if not re.fullmatch(_DOMAIN, domain):
        raise NameRejected(
            f"'{shown}' is not a domain name: its labels have 1 to 63 letters, digits and hyphens, no hyphen at either end"
        )
    return domain


def unicode_address(address: str) -> str | None:
    """A normalised address with its domain as U-labels, lower case; None where that is the same spelling.

    Source: RFC 5891, 4.2 and 5.5; a label that no U-label belongs to stays as it is.
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
    """`text`, if a template may be called so. Raises NameRejected."""
    if re.fullmatch(TEMPLATE, text):
        return text
    raise NameRejected(f"'{short(text)}' is not a template name: 1 to 63 of a-z 0-9 _ -, first a letter or a digit")


def source_name(text: str) -> str:
    """`text`, if a MultiPOP source may be called so. Raises NameRejected."""
    if re.fullmatch(TEMPLATE, text):
        return text
    raise NameRejected(f"'{short(text)}' is not a source name: 1 to 63 of a-z 0-9 _ -, first a letter or a digit")


def login(text: str) -> str:
    """`text`, if it may be a login at a smart host or a source. Raises NameRejected."""
    if not 1 <= len(text) <= 255:
        raise NameRejected(f"a login has 1 to 255 characters, this one has {len(text)}")
    if text != text.strip():
        raise NameRejected(f"the login '{printable(text)}' has white space at an end: leave it out")
    if re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029]", text):
        raise NameRejected(f"the login '{printable(text)}' has a control character")
    if re.search("[\ud800-\udfff]", text):
        raise NameRejected("the login is not valid UTF-8")
    return text


def host_name(text: str) -> str:
    """`text`, if it may name a host to connect to: a domain name or an IP address. Raises NameRejected."""
    if ":" in text:
        import ipaddress

        try:
            address = ipaddress.IPv6Address(text)
            if address.scope_id is None or re.fullmatch(ZONE, address.scope_id):  # to Python a zone is any text
                return str(address)
        except ValueError:
            pass
        raise NameRejected(f"'{short(text)}' is not a host: give the port apart from it")
    return domain_name(text)
