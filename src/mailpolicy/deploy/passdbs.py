"""The passdbs that Dovecot asks, as `doveconf -n` shows them: those before the policy's, and what others make of the policy's.

Source: seen on Dovecot 2.3.19 and 2.4.1. Those of `protocol` blocks are asked before all others, block by block as each is
first met. In 2.4 all passdbs of one name are one, and `passdb_x` outside of them is what those have that say no `x`; in 2.3
the names have no meaning, and the policy's is the first that bears its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Settings of 2.4 that say nothing to a passdb of ours that has none of its own; sites set them for all of theirs.
_IDLE = re.compile(r"(bsdauth|imap|ldap|lua|oauth2|pam|sql)_.*|use_(cache|worker)|default_password_scheme")
_ALL = "passdb_*"


class Passdb(NamedTuple):
    """A passdb: the `protocol` block in which it stands, "" for none, what it is called, and its settings."""

    block: str
    name: str
    settings: dict[str, str]

    def __str__(self) -> str:
        return f"{self.name or self.settings.get('driver', 'unnamed')} in {self.block}"

    def applies(self, service: str) -> bool:
        """Whether it is there for a service."""
        wanted = self.block.removeprefix("protocol ")
        return wanted in ("", service) or (wanted.startswith("!") and wanted != f"!{service}")


def asked_first(text: str, snippet: str, services: Sequence[str], *, merges: bool) -> list[str] | None:
    """The passdbs that Dovecot asks before the policy's, which are those of the snippet; None where it does not read these.

    One that is merged with a global one, as 2.4 does, comes later.
    """
    listed = [passdb for passdb in _passdbs(text) if passdb.name != _ALL]
    known = {passdb.name for passdb in listed if merges and not passdb.block}
    early: dict[str, None] = {}
    for service in services:
        ours = [passdb.name for passdb in _passdbs(snippet) if passdb.block == f"protocol {service}"]
        asked = [one for one in listed if one.block and one.name not in known and one.applies(service)]
        if not ours or not {passdb.name for passdb in asked}.issuperset(ours):
            return None
        waiting = ours[::-1]
        for passdb in asked:
            if not waiting:
                break
            if passdb.name == waiting[-1]:
                waiting.pop()
            elif passdb.name in ours and passdb.name not in waiting:
                pass  # it was there already
            # One that only denies, or that is for master users, lets nobody past the policy.
            elif "yes" not in (passdb.settings.get("deny"), passdb.settings.get("master")):
                early[str(passdb)] = None
    return list(early)


def changed(text: str, snippet: str, services: Sequence[str], *, merges: bool) -> list[str]:
    """Each setting by which the policy's passdbs are not what the snippet says, with where it stands.

    `merges` is whether all passdbs of one name are one.
    """
    listed = list(_passdbs(text))
    found: dict[str, None] = {}
    for wanted in _passdbs(snippet):
        service = wanted.block.removeprefix("protocol ")
        if service not in services or not wanted.name:
            continue
        same = [one for one in listed if one.name == wanted.name and one.applies(service)]
        if not same:
            continue  # it is not read
        same = same if merges else [one for one in same if one.block][:1]
        for one in same:
            if merges and not one.block:  # with it the policy's is asked as late as this one
                found[f"passdb {wanted.name}{_where(one)}"] = None
            for key in _differing(one, wanted):
                found[f"{key} = {one.settings[key]} in passdb {wanted.name}{_where(one)}"] = None
        for key in wanted.settings.keys() - {key for one in same for key in one.settings}:
            found[f"no {key} in passdb {wanted.name}"] = None
        for one in listed:
            if merges and one.name == _ALL and one.applies(service):
                for key in one.settings.keys() - wanted.settings.keys():
                    if not _IDLE.fullmatch(key):
                        found[f"passdb_{key} = {one.settings[key]}{_where(one)}"] = None
    return list(found)


def _differing(passdb: Passdb, wanted: Passdb) -> Iterator[str]:
    for key, value in passdb.settings.items():
        if wanted.settings[key] != value if key in wanted.settings else not _IDLE.fullmatch(key):
            yield key


def _where(passdb: Passdb) -> str:
    return f" in {passdb.block}" if passdb.block else " outside of protocol blocks"


def _passdbs(text: str) -> Iterator[Passdb]:
    """The passdbs in the order of what doveconf prints, and each setting for all of them as one called `passdb_*`."""
    around: list[str] = []
    current: Passdb | None = None
    depth = 0  # of the current one
    for line in map(str.strip, text.splitlines()):
        block = around[0] if around and around[0].startswith("protocol ") else ""
        if line.endswith("{"):
            kind, _, name = line[:-1].strip().partition(" ")
            if kind == "passdb":
                current, depth = Passdb(block, name, {}), len(around)
            around.append(line[:-1].strip())
        elif line == "}" and around:
            around.pop()
            if current is not None and len(around) == depth:
                yield current._replace(name=current.name or current.settings.get("name", ""))
                current = None
        elif line and not line.startswith("#"):
            key, _, value = line.partition(" = ")
            inside = around[depth + 1 :] if current is not None else around[bool(block) :]
            whole = "/".join([*inside, key.removesuffix(" =")])
            if current is not None:
                current.settings[whole] = value
            elif whole.startswith("passdb_") and inside in ([], ["passdb_fields"]):
                yield Passdb(block, _ALL, {whole.removeprefix("passdb_"): value})
