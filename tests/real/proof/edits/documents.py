"""Stores in every style that TOML allows, each decision a byte: 0 is the plainest, so that a failure shrinks to a plain document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")
ADDRESSES = ("ann@x.example", "bob@x.example", "cat@y.example", "dan@y.example", "o'b+1@x.example")
TEMPLATES, NETWORKS = ("staff", "field"), ("branch", "home")
SWITCHES = ("pop", "pop_lan_only", "imap", "imap_lan_only", "multipop", "smtp", "smtp_lan_only", "outlook_connector")
LAN = ("10.0.0.0/8", "192.168.*.*", "fd00::/8", "172.16.0.1-172.16.0.9")
LIVE, OVER = (
    ("2026-12-04", "2026-11-28T00:00:00+01:00"),
    ("2026-11-20", "2026-11-27T12:00:00Z"),
)  # as of tests.helpers.NOW


class Choices:
    """Decisions that are read from bytes."""

    def __init__(self, data: bytes) -> None:
        self._left = iter(data)

    def number(self, below: int) -> int:
        return next(self._left, 0) * below >> 8

    def pick(self, options: Sequence[T]) -> T:
        return options[self.number(len(options))]

    def one_in(self, number: int) -> bool:
        return self.number(number) == number - 1

    def some(self, options: Sequence[T], most: int, least: int = 0) -> list[T]:
        left = list(options)
        count = min(len(left), least + self.number(most - least + 1))
        return [left.pop(self.number(len(left))) for _ in range(count)]


class Document(NamedTuple):
    """A store; `ordinary` if every table has a header, and no edit of it may be refused for its style."""

    text: str
    ordinary: bool


Pairs = list[tuple[str, str]]


def document(choices: Choices) -> Document:
    return _Writer(choices).document()


class _Writer:
    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.lines: list[str] = []
        self.comments = 0
        self.ordinary = True
        self.templates = choices.some(TEMPLATES, 2)
        self.networks = choices.some(NETWORKS, 2)

    def document(self) -> Document:
        choices = self.choices
        accounts = choices.some(ADDRESSES, 4, 1)
        mode = choices.pick(["headers"] * 5 + ["section", "section", "root"])
        self.ordinary = mode == "headers"
        if choices.one_in(3):
            self.lines += [self.comment(), *[""] * choices.number(2)]
        self.lines.append("version = 1" + self.trailing())
        if choices.one_in(6):
            self.lines.append(self.comment())
        root = choices.some(accounts, len(accounts), 1) if mode == "root" else []
        for address in root:
            self.without_header(address, "accounts.")
        inside = choices.some(accounts, len(accounts), 1) if mode == "section" else []
        tops = [
            self.server,
            *([self.defaults] if choices.one_in(2) else []),
            *([self.all_networks] if self.networks else []),
        ]
        tops += [lambda name=name: self.table(f"[templates.{name}]", self.shared(3)) for name in self.templates]  # type: ignore[misc]
        for write in choices.some(tops, len(tops), len(tops)) if choices.one_in(4) else tops:
            write()
        if inside or (not root and choices.one_in(8)):
            self.table("[accounts]", [])
            for address in inside:
                self.without_header(address, "")
        away: list[str] = []
        for address in [address for address in accounts if address not in (*root, *inside)]:
            away += self.account(address)
        self.lines += away
        if choices.one_in(3):
            self.lines += [*[""] * choices.number(2), self.comment()]
        newline = choices.pick(["\n", "\n", "\n", "\r\n"])
        bom = "\ufeff" if choices.one_in(6) else ""
        end = "" if choices.one_in(4) else newline * (1 + choices.number(2))
        return Document(bom + newline.join(self.lines).replace("\0", newline) + end, self.ordinary)

    # Comments: each one of its kind, so that it can be followed.

    def comment(self, of: str = "") -> str:
        self.comments += 1
        form = self.choices.pick(["# ~{}", "#~{}", '# ~{} [accounts."x@y"]', "  # ~{} \"a\" = 'b'", "\t# ~{} ["])
        return form.format(f"{self.comments}{of}")

    def trailing(self, of: str = "") -> str:
        if not self.choices.one_in(4):
            return ""
        self.comments += 1
        return f'{self.choices.pick(["  ", " ", chr(9), ""])}# ~{self.comments}{of} it\'s "so"'

    def above(self) -> None:
        """Write what stands between two tables."""
        choices = self.choices
        self.lines += [""] * choices.pick([1, 1, 0, 2])
        if choices.one_in(5):
            self.lines += [self.comment(), ""]  # a heading

    # Tables.

    def server(self) -> None:
        choices = self.choices
        pairs = [("edition", '"pro"'), ("multipop", "true"), ("outlook_connector_installed", "true")]
        if not choices.one_in(8):
            pairs.append(("lan", self.array(choices.some(LAN, 4))))
        if choices.one_in(3):
            pairs.append(("govern", self.array(choices.some(("smtp", "sieve"), 2))))
        host = [("host", '"relay.example"'), ("port", "587"), ("login", "'relay'")]
        style = choices.pick(["header", "none", "header", "dotted", "inline"])
        if style == "dotted":
            pairs += [(f"smart_host.{key}", value) for key, value in host]
        elif style == "inline":
            pairs.append(("smart_host", self.inline(host)))
        self.table("[server]", pairs)
        self.ordinary = self.ordinary and style in ("none", "header")
        if style == "header":
            self.table("[server.smart_host]", host)

    def defaults(self) -> None:
        self.table("[defaults]", self.shared(3))

    def all_networks(self) -> None:
        names = {"branch": ("203.0.113.0/24", "198.51.100.7"), "home": ("192.0.2.0/24",)}
        self.table("[networks]", [(name, self.array(names[name])) for name in self.networks])

    def shared(self, most: int) -> Pairs:
        choices = self.choices
        pairs = [(key, choices.pick(["true", "false"])) for key in choices.some(SWITCHES[:-1], most)]
        if self.networks and choices.one_in(4):
            pairs.append(("extra_lan", self.array(choices.some(self.networks, 2))))
        return pairs

    def account_pairs(self) -> Pairs:
        choices = self.choices
        pairs = self.shared(3)
        if self.templates and choices.one_in(3):
            pairs.append(("template", self.string(choices.pick(self.templates))))
        if choices.one_in(6):
            pairs.append(("suspended", "true"))
        if choices.one_in(6):
            pairs.append(("expires", choices.pick([*LIVE, *OVER])))
        if choices.one_in(5):
            pairs.append(("smart_host_login", self.string(choices.pick(["ann", "a.b", "größe"]))))
        return pairs

    def temporary(self) -> Pairs:
        choices = self.choices
        keys = choices.some(SWITCHES[:4], 2)
        return [("until", choices.pick([*LIVE, *OVER])), *((key, choices.pick(["true", "false"])) for key in keys)]

    def source(self) -> Pairs:
        return [("host", self.string("pop.isp.example")), ("login", self.string("ann"))]

    def account(self, address: str) -> list[str]:
        """Write an account with a header, and return sub-tables that are to stand elsewhere."""
        choices = self.choices
        double = choices.pick([address, address, address.capitalize(), address.replace("@", "\\u0040")])
        quoted = f"'{address}'" if "'" not in address and choices.one_in(5) else f'"{double}"'
        form = choices.pick(
            ["[accounts.{}{}]", "[accounts.{}{}]", "[ accounts . {}{} ]", "  [accounts.{}{}]", '["accounts".{}{}]']
        )
        pairs = self.account_pairs()
        below: list[tuple[str, Pairs]] = []
        if choices.one_in(4):
            below.append((".temporary", self.temporary()))
        if choices.one_in(4):
            below += [(f".sources.{name}", self.source()) for name in choices.some(("isp", "gmx"), 2, 1)]
        if below and choices.one_in(5):
            self.ordinary = False
            for name, inner in below:
                style = choices.pick(["inline", "dotted"])
                pairs += (
                    [(name[1:], self.inline(inner))]
                    if style == "inline"
                    else [(f"{name[1:]}.{key}", value) for key, value in inner]
                )
            below = []
        first_below = below and choices.one_in(6)
        if not (below and not pairs and choices.one_in(3)) and not first_below:
            self.table(form.format(quoted, ""), pairs, commented=True)
        away: list[str] = []
        for name, inner in below:
            kept = self.lines
            if choices.one_in(8):
                self.ordinary, self.lines = False, away
            self.table(form.format(quoted, name), inner)
            self.lines = kept
        if first_below:
            self.table(form.format(quoted, ""), pairs, commented=True)
        return away

    def without_header(self, address: str, prefix: str) -> None:
        """Write an account with dotted keys or an inline table."""
        choices = self.choices
        key = f"'{address}'" if "'" not in address and choices.one_in(4) else f'"{address}"'
        pairs = self.account_pairs()
        if choices.one_in(3):
            pairs.append(("temporary", self.inline(self.temporary())))
        if choices.one_in(4):
            self.lines.append(self.comment())
        if pairs and choices.one_in(2):
            for name, value in pairs:
                self.lines.append(f"{prefix}{key}{choices.pick(['.', ' . '])}{name} = {value}{self.trailing()}")
        else:
            self.lines.append(f"{prefix}{key} = {self.inline(pairs)}{self.trailing()}")
        self.lines += [""] * choices.number(2)

    def table(self, header: str, pairs: Pairs, *, commented: bool = False) -> None:
        choices = self.choices
        self.above()
        place = choices.pick(["above", "beside", "below"]) if commented else ""
        if place == "above" or choices.one_in(5):
            self.lines += [self.comment() for _ in range(1 + choices.number(2))]
        beside = self.trailing()
        if place == "beside" and not beside:
            self.comments += 1
            beside = f" # ~{self.comments}"
        self.lines.append(header + beside)
        indent = choices.pick(["", "", "", "  ", "\t"])
        equals = choices.pick([" = ", " = ", "=", "  =  ", "\t=\t"])
        for key, value in choices.some(pairs, len(pairs), len(pairs)) if choices.one_in(3) else pairs:
            if choices.one_in(8):
                self.lines.append(choices.pick([self.comment(), ""]))
            written = f'"{key}"' if "." not in key and choices.one_in(12) else key
            self.lines.append(f"{indent}{written}{equals}{value}{self.trailing()}")
        if place == "below" or choices.one_in(6):
            self.lines.append(self.comment())

    # Values.

    def string(self, text: str) -> str:
        form = self.choices.pick(['"{}"', '"{}"', "'{}'", '"""{}"""', "'''\0{}'''"])
        return form.format(text)

    def inline(self, pairs: Pairs) -> str:
        style = self.choices.pick(["{{ {} }}", "{{{}}}", "{{\0  {},  # c\0}}"])
        if not pairs:
            return self.choices.pick(["{}", "{ }"])
        return style.format(", ".join(f"{key} = {value}" for key, value in pairs))

    def array(self, elements: Sequence[str]) -> str:
        choices = self.choices
        quoted = [f"'{text}'" if choices.one_in(4) else f'"{text}"' for text in elements]
        style = choices.pick(["one line", "one line", "lines", "lines", "odd"])
        if not elements or style == "one line":
            return choices.pick(["[{}]", "[ {} ]"]).format(", ".join(quoted))
        if style == "odd":
            self.ordinary = False
            return choices.pick(["[{},]", "[\0{}\0]", "[ # c\0 {}\0]", "[\0{} # c\0, # d\0]"]).format(
                choices.pick([",", " ,\0"]).join(quoted)
            )
        lines = []
        for number, (text, element) in enumerate(zip(elements, quoted, strict=True)):
            if choices.one_in(5):
                lines.append(f"  {self.comment(f'={text}')}")
            last = number == len(quoted) - 1 and choices.one_in(3)
            lines.append(f"  {element}{'' if last else ','}{self.trailing('=' + text)}")
        return "\0".join(["[", *lines, "]"])
