"""The users in answers of MDaemon's XML API to GetUserInfo, read with defusedxml."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mailpolicy.errors import Refused
from mailpolicy.policy.service import Service
from mailpolicy.provisioning.rows import Rows
from mailpolicy.provisioning.values import is_set

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
_TAKEN = (*_KEYS, *_CLOSED, ("Options", "TemplateName"))
_WORDS = {"yes": True, "no": False}
_DECLARATION = r"<\?xml[^<>]*\?>"
_MOST_NESTED = 8  # User elements in one another; each is looked through for its own settings
_DOCUMENT_TYPE = "<!DOCTYPE"  # the only place where entities are declared


Beside = Callable[[str], "Element | None"]  # the element of that name beside a user


class User(NamedTuple):
    """One user: the keys that were taken, the settings that have none, and the mistakes in the answer."""

    mailbox: str
    domain: str
    line: int
    keys: dict[str, Any]
    not_expressed: tuple[str, ...]
    wrong: list[str]


def users(rows: Rows, text: str) -> Iterator[User]:
    """Yield the users in one or more answers that stand one after the other; mistakes are noted. Raises Refused."""
    from xml.etree.ElementTree import TreeBuilder  # 5 ms, only for XML

    try:
        from defusedxml.ElementTree import DefusedXMLParser, ParseError
    except ImportError:
        raise Refused(
            "XML is read with the package defusedxml, which is not installed",
            code="no-defusedxml",
            fix=("pip", "install", "mailpolicy[mdaemon]"),
        ) from None

    if (start := text.find(_DOCUMENT_TYPE)) >= 0:
        line = text.count("\n", 0, start) + 1
        rows.mistake(line, "a document type, which can be an attack: nothing of the file was read")
        return

    class Lined(TreeBuilder):
        """A tree that knows the line of each element."""

        def start(self, tag: Any, attributes: Any) -> Any:
            element = super().start(tag, attributes)
            lines[element] = parser.parser.CurrentLineNumber
            if _name(element) == "User":
                opened.append(element)
                if len(opened) > _MOST_NESTED:
                    nested.append(lines[element])
            return element

        def end(self, tag: Any) -> Any:
            element = super().end(tag)
            if opened and opened[-1] is element:
                opened.pop()
            return element

    lines: dict[Element, int] = {}
    opened: list[Element] = []  # the User elements that are not closed yet
    nested: list[int] = []  # the lines of those that are too deep
    parser = DefusedXMLParser(target=Lined(), forbid_dtd=True)
    try:
        # All answers in one element, and without declarations: the text is decoded already, whatever encoding they name.
        for part in ("<answers>", re.sub(_DECLARATION, _blank, text), "</answers>"):
            parser.feed(part)
        root = parser.close()
    except ParseError as error:
        rows.mistake(error.position[0], "this is not well-formed XML; what follows was not read")
        return
    if nested:
        rows.mistake(nested[0], f"more than {_MOST_NESTED} elements User in one another: nothing of the file was read")
        return
    parents = {child: parent for parent in root.iter() for child in parent}
    beside = cache(_child)  # all users of one answer have one parent, which is looked through once
    for user in root.iter():
        if _name(user) == "User":
            yield _user(user, lines[user], partial(beside, parents[user]))


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _below(element: Element, path: tuple[str, ...]) -> Element | None:
    """Return the element at a path, whatever stands between its parts and in whatever namespace; the nearest one wins."""
    for name in path:
        if (found := _child(element, name)) is None:
            found = next((inner for inner in element.iter() if inner is not element and _name(inner) == name), None)
        if found is None:
            return None
        element = found
    return element


def _child(element: Element, name: str) -> Element | None:
    return next((inner for inner in element if _name(inner) == name), None)


def _named(user: Element, beside: Beside, name: str) -> Element | None:
    """Return the element with a part of a user's address: in the user, beside it, or deep inside."""
    found = (_child(user, name), beside(name), _below(user, (name,)))
    return next((element for element in found if _text(element)), None)


def _text(element: Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _user(user: Element, line: int, beside: Beside) -> User:
    named = [_named(user, beside, name) for name in ("Mailbox", "Domain")]
    mailbox, domain = map(_text, named)
    keys: dict[str, Any] = {}
    wrong = []
    taken = {id(element) for element in (*named, *(_below(user, path) for path in _TAKEN))}
    others = [
        _name(inner) if outer is user else f"{_name(outer)}/{_name(inner)}"
        for outer in user.iter()
        for inner in outer
        if id(inner) not in taken and is_set(_text(inner))
    ]

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
    unused = dict.fromkeys(name for name in others if "password" not in name.lower())
    difference = ["whether Frozen or Disabled (either is suspended here)"] * keys.get("suspended", False)
    return User(mailbox, domain, line, keys, (*difference, *unused), wrong)
