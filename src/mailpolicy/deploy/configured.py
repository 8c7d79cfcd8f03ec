"""What `[exports.NAME]` of host.toml asks for: which target, where, for whom, and how its reader is told.

Promises: everything is checked before anything is written. Not promised: that the programs named are there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mailpolicy.deploy.managed import Place
from mailpolicy.diagnostics import KeyPath
from mailpolicy.errors import MailpolicyError, Refused, StoreError
from mailpolicy.export import Target
from mailpolicy.export.options import OptionRejected, parse_options, target_named
from mailpolicy.export.request import Options
from mailpolicy.policy.nearest import nearest_key
from mailpolicy.system.replacing import Attributes

_OWN = ("target", "path", "mode", "owner", "reload", "kick", "doveconf")
OPEN, CLOSED = 0o640, 0o600
_INDEXES = {"lmdb": ".lmdb", "hash": ".db", "cdb": ".cdb"}  # what postmap makes beside the text


class Configured(NamedTuple):
    """One export of this machine; `kick` ends the sessions of the user whose name follows it, `doveconf` asks Dovecot."""

    name: str
    target_name: str
    target: Target
    options: Options
    place: Place
    kick: tuple[str, ...] = ("doveadm", "kick", "--")
    doveconf: tuple[str, ...] = ("doveconf",)
    problem: MailpolicyError | None = None  # why this one cannot be made, which stops none of the others


class InvalidExport(StoreError):
    """An `[exports.NAME]` says something it may not; `key` is the path of what it is."""

    code = "invalid-host"

    def __init__(self, file: str, name: str, message: str, option: str | None = None) -> None:
        super().__init__(f"exports.{name}: {message}", file=file)
        self.key: KeyPath = ("exports", name, *([option] if option is not None else []))


def place_for(target: Target, path: str, *, postmap: str | None = None) -> Place:
    """Where a target's file goes if nothing else is said: 0640, or 0600 and never more for one with secrets."""
    mode = CLOSED if target.secret else OPEN
    attributes = Attributes(mode, most=mode, later=True)
    if postmap is None:
        return Place(path, attributes)
    full = os.path.abspath(path)  # commands run elsewhere
    return Place(path, attributes, (("postmap", f"{postmap}:{full}"),), f"{full}{_INDEXES[postmap]}")


def configured(file: str, tables: Mapping[str, Any]) -> list[Configured]:
    """The exports, those without secrets first, and among these data before the configuration that reads it.

    Raises InvalidExport.
    """
    found = [_one(file, name, table) for name, table in tables.items()]
    paths: dict[str, str] = {}
    for one in found:
        if (other := paths.setdefault(os.path.realpath(one.place.path), one.name)) != one.name:
            raise InvalidExport(file, one.name, f"path is that of exports.{other} too", "path")
    _refuse_mismatch(file, found)
    return sorted(found, key=lambda one: (one.target.secret, one.target_name.endswith("-conf")))


def data_files(found: Iterable[Configured]) -> list[str]:
    """Return where the exports put what Dovecot reads to know who may log in."""
    return [one.place.path for one in found if one.target_name == "dovecot"]


def _one(file: str, name: str, table: Any) -> Configured:
    if not isinstance(table, dict):
        raise InvalidExport(file, name, "this must be a table")
    try:
        target_name = table.get("target")
        if not isinstance(target_name, str):
            raise OptionRejected("target", "the key target is missing, it names what is exported")
        target = target_named(target_name)
        given = {key: value for key, value in table.items() if key not in _OWN}
        for key in given.keys() - target.options:
            nearest = nearest_key(key, [*_OWN, *target.options])
            raise OptionRejected(key, f"unknown key {key!a}{f', did you mean {nearest}?' if nearest else ''}")
        path, token = table.get("path"), given.get("token_file", "/")
        if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
            raise OptionRejected("path", "path must be an absolute path")
        if isinstance(token, str) and not token.startswith("/"):
            raise OptionRejected("token_file", "token_file must be an absolute path")
        chosen, problem = _options(target_name, given)
        if os.path.realpath(path) == os.path.realpath(str(token)):
            raise OptionRejected("path", "path is that of the token")
        plain = place_for(target, path, postmap=given.get("postmap"))
        reload = _command(table, "reload")
        attributes = Attributes(
            _mode(table, plain.attributes.mode), exact=True, owner=_owner(table.get("owner")), later=True
        )
        commands = (*plain.commands, *((reload,) if reload is not None else ()))
        kick, doveconf = (_command(table, key) or Configured._field_defaults[key] for key in ("kick", "doveconf"))
        return Configured(
            name,
            target_name,
            target,
            chosen,
            Place(path, attributes, commands, plain.product, ours=True),
            kick,
            doveconf,
            problem,
        )
    except OptionRejected as error:
        raise InvalidExport(file, name, str(error), error.option) from None


def _options(target_name: str, given: Mapping[str, Any]) -> tuple[Options, MailpolicyError | None]:
    """The options; what is wrong with the token's file is this machine's state and no mistake in host.toml."""
    try:
        return parse_options(target_name, given), None
    except MailpolicyError as error:
        problem = error
    except OptionRejected as error:
        if error.option != "token_file" or not isinstance(given["token_file"], str):
            raise
        problem = Refused(str(error))
    without = {key: value for key, value in given.items() if key != "token_file"}
    return parse_options(target_name, without), Refused(
        problem.message, file=problem.file, code="token", fix=problem.fix
    )


def _refuse_mismatch(file: str, found: list[Configured]) -> None:
    """A snippet that reads its data by another rule than they were written by lets in just those who must stay out."""
    data = {one.place.path: one for one in found if one.target_name == "dovecot"}
    for one in found:
        other = data.get(one.options.data or "") if one.target_name == "dovecot-conf" else None
        for key in ("strategy", "lock"):
            if other is not None and getattr(one.options, key) != getattr(other.options, key):
                raise InvalidExport(
                    file, one.name, f"{key} is not that of exports.{other.name}, whose file it reads", key
                )


def _command(table: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    command = table.get(key)
    if command is None:
        return None
    if (
        not isinstance(command, list)
        or not command
        or not all(isinstance(word, str) and word and "\0" not in word for word in command)
    ):
        raise OptionRejected(key, f'{key} must be a command as an array of strings, such as ["postfix", "reload"]')
    return tuple(command)


def _mode(table: Mapping[str, Any], usual: int) -> int:
    text = table.get("mode")
    if text is None:
        return usual
    if not isinstance(text, str) or not re.fullmatch("0?[0-7]{3}", text):
        raise OptionRejected("mode", 'mode must be an octal string such as "0640"')
    mode = int(text, 8)
    if mode & 0o022:
        raise OptionRejected("mode", f"mode {text} lets others write what a server obeys")
    if usual == CLOSED and mode & 0o007:
        raise OptionRejected("mode", f"mode {text} lets everybody read the passwords inside")
    return mode


def _owner(text: Any) -> tuple[int, int]:
    if text is None:
        return (-1, -1)
    import grp
    import pwd

    if not isinstance(text, str) or not re.fullmatch(r"[^:\s]*(:[^:\s]+)?", text) or not text:
        raise OptionRejected("owner", 'owner must be "user", "user:group" or ":group"')
    user, _, group = text.partition(":")
    try:
        uid = pwd.getpwnam(user).pw_uid if user else -1
        gid = grp.getgrnam(group).gr_gid if group else -1
    except KeyError:
        raise OptionRejected("owner", f"there is no such user or group on this machine: {text!a}") from None
    return uid, gid
