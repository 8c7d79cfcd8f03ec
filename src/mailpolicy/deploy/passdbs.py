"""Analyse the passdbs in the output of `doveconf -n`: which are asked before the policy, and which settings alter the policy's.

As observed with Dovecot 2.3.19 and 2.4.1: passdbs in `protocol` blocks are asked before all others, in the order in which
the blocks first appear. 2.4 merges all passdbs of one name, and `passdb_x` outside of them is the default of `x`. In 2.3
names have no meaning, and the policy's passdb is the first that has its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Settings of 2.4 that a passwd-file ignores; sites set them as defaults for their other passdbs.
_HARMLESS = re.compile(r"(bsdauth|imap|ldap|lua|oauth2|pam|sql)_.*|use_(cache|worker)|default_password_scheme")
# How a database is reached: settings of the administrator's file that a passdb of ours includes.
_CONNECTION = re.compile(r"(pgsql|mysql|sqlite|cassandra|sql)[_ /].*")
_DEFAULTS = "passdb_*"


class Passdb(NamedTuple):
    """A passdb: its `protocol` block, "" for none, its name and its settings."""

    block: str
    name: str
    settings: dict[str, str]

    def __str__(self) -> str:
        return f"{self.name or self.settings.get('driver', 'unnamed')} in {self.block}"

    def applies(self, service: str) -> bool:
        """Return whether the passdb is used for a service."""
        wanted = self.block.removeprefix("protocol ")
        return wanted in ("", service) or (wanted.startswith("!") and wanted != f"!{service}")


def services_of(snippet: str) -> tuple[str, ...]:
    """Return the services about which a snippet of ours makes Dovecot ask the policy."""
    return tuple(dict.fromkeys(one.block.removeprefix("protocol ") for one in _passdbs(snippet) if one.block))


def services_reading(text: str, path: str) -> tuple[str, ...]:
    """Return the services about which Dovecot asks the passwd-file at `path`, each in a `protocol` block of its own."""
    found: dict[str, None] = {}
    for passdb in _passdbs(text):
        read = passdb.settings.get("passwd_file_path", passdb.settings.get("args", "").rpartition(" ")[2])
        if passdb.block and read.partition("%")[0] == path:  # a variable that expands to nothing may follow
            found[passdb.block.removeprefix("protocol ")] = None
    return tuple(found)


def asked_before_policy(text: str, snippet: str, services: Sequence[str], *, merges: bool) -> list[str] | None:
    """Return the passdbs that Dovecot asks before those of the snippet, None if it does not read the snippet.

    `merges` is whether Dovecot merges passdbs of one name: one merged with a global passdb is asked later.
    """
    listed = [passdb for passdb in _passdbs(text) if passdb.name != _DEFAULTS]
    merged = {passdb.name for passdb in listed if merges and not passdb.block}
    earlier: dict[str, None] = {}
    for service in services:
        wanted_names = [passdb.name for passdb in _passdbs(snippet) if passdb.block == f"protocol {service}"]
        asked = [one for one in listed if one.block and one.name not in merged and one.applies(service)]
        if not wanted_names or not {passdb.name for passdb in asked}.issuperset(wanted_names):
            return None
        remaining = wanted_names[::-1]
        for passdb in asked:
            if not remaining:
                break
            if passdb.name == remaining[-1]:
                remaining.pop()
            elif passdb.name in wanted_names and passdb.name not in remaining:
                pass  # listed a second time
            # A passdb that only denies, or is for master users, admits nobody past the policy.
            elif "yes" not in (passdb.settings.get("deny"), passdb.settings.get("master")):
                earlier[str(passdb)] = None
    return list(earlier)


def altered_settings(text: str, snippet: str, services: Sequence[str], *, merges: bool) -> list[str]:
    """Return the settings outside of the snippet that alter its passdbs, each with its block.

    `merges` is whether Dovecot merges passdbs of one name.
    """
    listed = list(_passdbs(text))
    found: dict[str, None] = {}
    for wanted in _passdbs(snippet):
        service = wanted.block.removeprefix("protocol ")
        if service not in services or not wanted.name:
            continue
        same = [one for one in listed if one.name == wanted.name and one.applies(service)]
        if not same:
            continue  # the snippet is not read, which `asked_before_policy` reports
        same = same if merges else [one for one in same if one.block][:1]
        for one in same:
            if merges and not one.block:  # merged with a global passdb, the policy's is asked as late as that one
                found[f"passdb {wanted.name}{_location(one)}"] = None
            for key in _differing(one, wanted):
                found[f"{key} = {one.settings[key]} in passdb {wanted.name}{_location(one)}"] = None
        for key in [key for key in wanted.settings if not any(key in one.settings for one in same)]:
            found[f"no {key} in passdb {wanted.name}"] = None
        for one in listed:
            if merges and one.name == _DEFAULTS and one.applies(service):
                for key in one.settings:
                    if key not in wanted.settings and not _HARMLESS.fullmatch(key):
                        found[f"passdb_{key} = {one.settings[key]}{_location(one)}"] = None
    return list(found)


def _differing(passdb: Passdb, wanted: Passdb) -> Iterator[str]:
    ignored = _CONNECTION if wanted.settings.get("driver") == "sql" else _HARMLESS
    for key, value in passdb.settings.items():
        if wanted.settings[key] != value if key in wanted.settings else not ignored.fullmatch(key):
            yield key


def _location(passdb: Passdb) -> str:
    return f" in {passdb.block}" if passdb.block else " outside of protocol blocks"


def _passdbs(text: str) -> Iterator[Passdb]:
    """Yield the passdbs in the order of doveconf's output, and each default setting as a passdb named `passdb_*`."""
    enclosing: list[str] = []
    current: Passdb | None = None
    depth = 0  # of the current one
    for line in map(str.strip, text.splitlines()):
        block = enclosing[0] if enclosing and enclosing[0].startswith("protocol ") else ""
        if line.endswith("{"):
            kind, _, name = line[:-1].strip().partition(" ")
            if kind == "passdb":
                current, depth = Passdb(block, name, {}), len(enclosing)
            enclosing.append(line[:-1].strip())
        elif line == "}" and enclosing:
            enclosing.pop()
            if current is not None and len(enclosing) == depth:
                yield current._replace(name=current.name or current.settings.get("name", ""))
                current = None
        elif line and not line.startswith(("#", "!")):
            key, _, value = line.partition(" = ")
            inside = enclosing[depth + 1 :] if current is not None else enclosing[bool(block) :]
            whole = "/".join([*inside, key.removesuffix(" =")])
            if current is not None:
                current.settings[whole] = value
            elif whole.startswith("passdb_") and inside in ([], ["passdb_fields"]):
                yield Passdb(block, _DEFAULTS, {whole.removeprefix("passdb_"): value})
