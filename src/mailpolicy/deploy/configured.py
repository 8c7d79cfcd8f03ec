"""The exports configured as `[exports.NAME]` in host.toml, checked as a whole before anything is written.

The programs that they name are not looked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mailpolicy.deploy.managed import GeneratedFile
from mailpolicy.diagnostics import KeyPath
from mailpolicy.errors import Command, MailpolicyError, Refused, StoreError
from mailpolicy.export import Target
from mailpolicy.export.options import OptionRejected, explain_lock, parse_options, target_named
from mailpolicy.export.request import Options
from mailpolicy.policy.nearest import nearest_key
from mailpolicy.system.attributes import Attributes
from mailpolicy.system.resolve import real_path

_COMMON_KEYS = ("target", "path", "mode", "owner", "reload", "kick", "doveconf")
_REMOVED_KEY = "lock"
_MODE, _SECRET_MODE = 0o640, 0o600
_MAX_ID = (1 << 32) - 2  # the next one means "leave it"
_INDEX_SUFFIXES = {"lmdb": ".lmdb", "hash": ".db", "cdb": ".cdb"}  # suffixes of the index files that postmap makes


class ConfiguredExport(NamedTuple):
    """A configured export; the command `kick`, with a user name added, ends that user's sessions."""

    name: str
    target_name: str
    target: Target
    options: Options
    generated: GeneratedFile
    kick: tuple[str, ...] = ("doveadm", "kick", "--")
    doveconf: tuple[str, ...] = ("doveconf",)
    error: MailpolicyError | None = None  # why this one cannot be made; the others still are
    settings: Mapping[str, str] = MappingProxyType({})  # the options as they are in host.toml

    @property
    def passwd_file(self) -> str | None:
        """Return the path of the passwd-file that a snippet of Dovecot reads, None for any other export."""
        return self.options.data if self.target_name == "dovecot-conf" else None


def export_command(target_name: str, settings: Mapping[str, str], path: str) -> Command:
    """Return the command that writes an export's file by hand; `settings` has the names of host.toml."""
    options = (word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", value))
    return ("mailpolicy", "export", target_name, *options, "--output", path)


class InvalidExport(StoreError):
    """A table `[exports.NAME]` is invalid; `key` is the path of the offending key."""

    code = "invalid-host"

    def __init__(
        self, file: str, name: str, message: str, option: str | None = None, fix: Command | None = None
    ) -> None:
        super().__init__(f"exports.{name}: {message}", file=file, fix=fix)
        self.key: KeyPath = ("exports", name, *([option] if option is not None else []))


def default_file(target: Target, path: str, *, postmap: str | None = None) -> GeneratedFile:
    """Return the default attributes of a target's file: mode 0640, or 0600 and never more if it has secrets."""
    mode = _SECRET_MODE if target.secret else _MODE
    attributes = Attributes(mode, max_mode=mode, bump_mtime=True)
    if postmap is None:
        return GeneratedFile(path, attributes)
    full = os.path.abspath(path)  # commands run in /
    return GeneratedFile(path, attributes, (("postmap", f"{postmap}:{full}"),), f"{full}{_INDEX_SUFFIXES[postmap]}")


def read_exports(file: str, tables: Mapping[str, Any]) -> list[ConfiguredExport]:
    """Return the exports in the order of their deployment. Raises InvalidExport.

    Those without secrets come first, as the keyring may be locked; data comes before the configuration that reads it.
    """
    exports = [_read_export(file, name, table) for name, table in tables.items()]
    paths: dict[str, str] = {}
    for one in exports:
        if (other := paths.setdefault(real_path(one.generated.path), one.name)) != one.name:
            raise InvalidExport(file, one.name, f"path is also the path of exports.{other}", "path")
    _refuse_mismatch(file, exports)
    return sorted(exports, key=lambda one: (one.target.secret, one.target_name.endswith("-conf")))


def removed_key(file: str, tables: Mapping[str, Any]) -> InvalidExport | None:
    """Return the error for a key of an earlier version, which keeps the exports from being made; None without one.

    It is no error of `read_exports`, so that the edits that replace it can be made.
    """
    for name, table in tables.items():
        if isinstance(table, dict) and _REMOVED_KEY in table:
            message, fix = explain_lock(table[_REMOVED_KEY])
            return InvalidExport(file, name, f"{message}, then remove this line", _REMOVED_KEY, fix)
    return None


def data_files(exports: Iterable[ConfiguredExport]) -> list[str]:
    """Return the paths of the passwd-files among the exports."""
    return [one.generated.path for one in exports if one.target_name == "dovecot"]


def _read_export(file: str, name: str, table: Any) -> ConfiguredExport:
    if not isinstance(table, dict):
        raise InvalidExport(file, name, "this must be a table")
    try:
        target_name = table.get("target")
        if not isinstance(target_name, str):
            raise OptionRejected("target", "the key target is missing")
        target = target_named(target_name)
        given = {key: value for key, value in table.items() if key not in (*_COMMON_KEYS, _REMOVED_KEY)}
        for key in [key for key in given if key not in target.options]:
            nearest = nearest_key(key, [*_COMMON_KEYS, *target.options])
            raise OptionRejected(key, f"unknown key {key!a}{f', did you mean {nearest}?' if nearest else ''}")
        path, token = table.get("path"), given.get("token_file", "/")
        if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
            raise OptionRejected("path", "path must be an absolute path")
        if isinstance(token, str) and not token.startswith("/"):
            raise OptionRejected("token_file", "token_file must be an absolute path")
        chosen, problem = _options(target_name, given)
        if real_path(path) == real_path(str(token)):
            raise OptionRejected("path", "path is the same file as token_file")
        plain = default_file(target, path, postmap=given.get("postmap"))
        reload = _command(table, "reload")
        attributes = Attributes(
            _mode(table, plain.attributes.mode), exact=True, owner=_owner(table.get("owner")), bump_mtime=True
        )
        commands = (*plain.commands, *((reload,) if reload is not None else ()))
        kick, doveconf = (_command(table, key) or ConfiguredExport._field_defaults[key] for key in ("kick", "doveconf"))
        return ConfiguredExport(
            name,
            target_name,
            target,
            chosen,
            GeneratedFile(path, attributes, commands, plain.product, replace_edited=True),
            kick,
            doveconf,
            problem,
            given,
        )
    except OptionRejected as error:
        raise InvalidExport(file, name, str(error), error.option) from None


def _options(target_name: str, given: Mapping[str, Any]) -> tuple[Options, MailpolicyError | None]:
    """Return the options, and the error if the token file is unusable: a fault of the machine, not of host.toml."""
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


def _refuse_mismatch(file: str, exports: list[ConfiguredExport]) -> None:
    """Raise InvalidExport if a Dovecot snippet and its passwd-file differ in strategy.

    The snippet would then admit exactly the users that the file means to deny.
    """
    data = {one.generated.path: one for one in exports if one.target_name == "dovecot"}
    for one in exports:
        other = data.get(one.passwd_file or "")
        if other is not None and one.options.strategy != other.options.strategy:
            raise InvalidExport(
                file, one.name, f"strategy differs from exports.{other.name}, whose file this one reads", "strategy"
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
        raise OptionRejected("mode", f"mode {text} lets other users write the file")
    if usual == _SECRET_MODE and mode & 0o007:
        raise OptionRejected("mode", f"mode {text} lets everybody read the passwords in the file")
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
        # A number is for a user whom only a container has.
        uid = _number(user) if user.isdigit() else pwd.getpwnam(user).pw_uid if user else -1
        gid = _number(group) if group.isdigit() else grp.getgrnam(group).gr_gid if group else -1
    except KeyError:
        raise OptionRejected("owner", f"no such user or group on this machine: {text!a}") from None
    return uid, gid


def _number(text: str) -> int:
    number = int(text) if text.isascii() else _MAX_ID + 1
    if number > _MAX_ID:
        raise OptionRejected("owner", f"not the number of a user or group: {text!a}")
    return number
