"""The users in answers of MDaemon's XML API to GetUserInfo, read with defusedxml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from mailpolicy.errors import Refused
from mailpolicy.policy.service import Service
from mailpolicy.provisioning.rows import Rows

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# The elements below User that a key is made of.
_KEYS = {
    ("Protocols", "POP", "Enabled"): Service.POP.switch,
    ("Protocols", "POP", "RestrictedToLAN"): f"{Service.POP.switch}_lan_only",
    ("Protocols", "IMAP", "Enabled"): Service.IMAP.switch,
    ("Protocols", "IMAP", "RestrictedToLAN"): f"{Service.IMAP.switch}_lan_only",
    ("Protocols", "MultiPOP", "Enabled"): Service.MULTIPOP.switch,
    ("RestrictSMTPAccess",): f"{Service.SMTP.switch}_lan_only",  # wherever in User it stands
}
_CLOSED = (("Details", "Frozen"), ("Details", "Disabled"))  # both of them suspend an account here
_WORDS = {"yes": True, "no": False}
_DECLARATION = re.compile(r"<\?xml[^>]*\?>")


class User(NamedTuple):
    """One user: the keys that were taken, the settings that have none, and the mistakes in the answer."""

    mailbox: str
    domain: str
    line: int
    keys: dict[str, Any]
    not_expressed: tuple[str, ...]
    wrong: list[str]


def users(rows: Rows, text: str) -> Iterator[User]:
    """Yield the users in one or more documents that stand one after the other; mistakes are noted. Raises Refused."""
    starts = [found.start() for found in _DECLARATION.finditer(text)] or [0]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        before = text.count("\n", 0, start)
        # Without its declaration: the text is decoded already, whatever encoding that names.
        yield from _users_in(rows, _DECLARATION.sub(_blank, text[start:end], count=1), before)


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _users_in(rows: Rows, text: str, before: int) -> Iterator[User]:
    from xml.etree.ElementTree import TreeBuilder  # 5 ms, only for XML

    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import DefusedXMLParser, ParseError
    except ImportError:
        raise Refused(
            "XML is read with the package defusedxml, which is not installed",
            code="no-defusedxml",
            fix=("pip", "install", "mailpolicy[mdaemon]"),
        ) from None

    class Lined(TreeBuilder):
        """A tree that knows the line of each element."""

        def start(self, tag: Any, attributes: Any) -> Any:
            element = super().start(tag, attributes)
            lines[element] = before + parser.parser.CurrentLineNumber
            return element

    lines: dict[Element, int] = {}
    parser = DefusedXMLParser(target=Lined(), forbid_dtd=True)
    try:
        parser.feed(text)
        root = parser.close()
    except DefusedXmlException:
        line = before + parser.parser.CurrentLineNumber
        rows.mistake(line, "a document type or an entity, which can be an attack; what follows was not read")
        return
    except ParseError as error:
        rows.mistake(before + error.position[0], "this is not well-formed XML; what follows was not read")
        return
    parents = {child: parent for parent in root.iter() for child in parent}
    for user in root.iter():
        if _name(user) == "User":
            yield _user(user, parents.get(user, user), lines[user])


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _below(element: Element, path: tuple[str, ...]) -> Element | None:
    """Return the first element at a path, whatever stands between its parts and in whatever namespace."""
    for name in path:
        found = next((inner for inner in element.iter() if inner is not element and _name(inner) == name), None)
        if found is None:
            return None
        element = found
    return element


def _text(element: Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _user(user: Element, parent: Element, line: int) -> User:
    mailbox, domain = (
        _text(_below(user, (name,))) or _text(next((inner for inner in parent if _name(inner) == name), None))
        for name in ("Mailbox", "Domain")
    )
    keys: dict[str, Any] = {}
    wrong = []

    def said(path: tuple[str, ...]) -> bool | None:
        if (element := _below(user, path)) is None:
            return None
        if (value := _WORDS.get(_text(element).lower())) is None:
            wrong.append(f"{'/'.join(path)} is neither Yes nor No")
        return value

    for path, key in _KEYS.items():
        if (value := said(path)) is not None:
            keys[key] = value
    closed = {path[-1]: value for path in _CLOSED if (value := said(path)) is not None}
    if closed:
        keys["suspended"] = any(closed.values())
    if template := _text(_below(user, ("Options", "TemplateName"))):
        # Of a name in other letters nothing is left, and so it is no template's.
        keys["template"] = re.sub(r"[^a-z0-9_-]+", "-", template.lower()).strip("-_")[:63]
    difference = tuple(f"{name}, which became suspended" for name, value in closed.items() if value)
    return User(mailbox, domain, line, keys, difference, wrong)
