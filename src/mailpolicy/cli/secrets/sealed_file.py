"""The sealed file from the command line: set up, and its key rotated.

Promises: setting up twice is once; nothing that is there is written over; host.toml is written only where there is none.
Nothing is made before every place was found fit for what goes there.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import choice
from mailpolicy.errors import NotConfirmed, Refused, UsageError, WriteFailed
from mailpolicy.policy.names import counted
from mailpolicy.sealed.file import DEFAULT_PATH
from mailpolicy.sealed.key_files import Credential, KeyFile
from mailpolicy.secrets.credentials import Choice, sealed_file
from mailpolicy.store import host
from mailpolicy.system.files import is_there
from mailpolicy.system.held import locked, without_lock
from mailpolicy.system.keyrings.choice import SEALED

if TYPE_CHECKING:
    from mailpolicy.sealed.file import SecretsFile

DEFAULT_KEY = "/etc/mailpolicy/key"
_HOST = "# What is true of this machine and not of the policy: mailpolicy's docs/secrets.md.\n"


def init(out: Output, secrets_file: str | None, key_file: str | None, *, key_in_keyring: bool, dry_run: bool) -> int:
    """A key, a sealed file and host.toml, those of them that are not there yet."""
    if key_in_keyring and key_file is not None:
        raise UsageError("--key-file and --key-in-keyring are two places for one key: name one")
    context = out.context
    config = context.host_config or host.DEFAULT_PATH
    if config == os.devnull:
        raise UsageError(f"host.toml must name the sealed file, so it cannot be {os.devnull}: --host-config PATH")
    with without_lock(config) as place:
        fresh = place.facts() is None
    machine = host.Host() if fresh else out.machine().settings
    path = _whole(secrets_file) or machine.secrets_file or DEFAULT_PATH
    key = None if key_in_keyring else _whole(key_file) or machine.key_file
    if key is None and not key_in_keyring and (fresh or not is_there(path)):
        key = DEFAULT_KEY  # a file that is there already has its key where host.toml says
    deadline = 120.0 if context.interactive else 15.0
    use = Choice(SEALED, "", context.is_root, deadline, path, key, context.credentials_folder, context.lock_timeout)
    file = sealed_file(use)
    settings = {"keyring_backend": SEALED, "secrets_file": path}
    if isinstance(file.source, KeyFile):
        settings["key_file"] = file.source.name
    if key_in_keyring and machine.key_file is not None:
        raise Refused(
            "key_file stands here, which comes before a key in the keyring: take that line out",
            file=config,
            code="host-config-differs",
        )
    if not fresh:
        _require(config, machine, settings, named=context.keyring_backend == SEALED)
    made_key, made_file = file.would_make()
    places = {config: "--host-config PATH or $MAILPOLICY_HOST_CONFIG"} if fresh else {}
    if made_file:
        places[path] = "--secrets-file PATH"
    if made_key and isinstance(file.source, KeyFile):
        places[file.source.name] = "--key-file PATH"
    _require_writable(places)
    if not dry_run:
        made_key, made_file = file.make()
        if fresh:
            _write(out, config, settings)
    rows = (
        ("master key", file.source.name, made_key),
        ("sealed file", path, made_file),
        ("host.toml", config, fresh),
    )
    if made_key and not dry_run:
        out.message(f"keep a copy of the master key where no copy of {path} is: without it the secrets are lost")
    if fresh and context.host_config_option and not dry_run:
        out.message(f"every command needs this host.toml: --host-config {config}, or MAILPOLICY_HOST_CONFIG={config}")
    return _tell(out, "init", rows, {"secrets_file": path, "key": file.source.name}, dry_run=dry_run)


def _whole(path: str | None) -> str | None:
    return os.path.abspath(path) if path is not None else None


def _require_writable(places: Mapping[str, str]) -> None:
    """Raise WriteFailed where a file could not be made; `places` has with each path the option that names another one."""
    wrong = []
    for path, option in places.items():
        folder = os.path.dirname(os.path.realpath(path))
        while not is_there(folder, follow=True):
            folder = os.path.dirname(folder)
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
            read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
            reason = "read-only file system" if read_only else "permission denied"
            reason = reason if os.path.isdir(folder) else "not a directory"
            wrong.append(f"{path} ({folder}: {reason}; another place: {option})")
    if wrong:
        raise WriteFailed(f"nothing was made, as this cannot be written: {', '.join(wrong)}")


def _require(config: str, machine: host.Host, settings: dict[str, str], *, named: bool) -> None:
    """Refuse where a host.toml that is there would not lead to the file that is to be made."""
    says = {
        "keyring_backend": SEALED if named else machine.keyring_backend,
        "secrets_file": machine.secrets_file or DEFAULT_PATH,
        "key_file": machine.key_file,
    }
    lacking = [f"{key} = {_quoted(value)}" for key, value in settings.items() if says[key] != value]
    if lacking:
        raise Refused(
            f"this file is there already and does not say this, put it at its top, each on a line: {'  '.join(lacking)}",
            file=config,
            code="host-config-differs",
        )


def _write(out: Output, config: str, settings: dict[str, str]) -> None:
    lines = "".join(f"{key} = {_quoted(value)}\n" for key, value in settings.items())
    with locked(config, out.context.lock_timeout, make_folders=0o755) as file:
        if file.facts() is not None:
            raise Refused(
                "this file appeared meanwhile, it stays as it is: run this again",
                file=config,
                code="host-config-differs",
            )
        file.create((_HOST + lines).encode())


def _quoted(text: str) -> str:
    import json

    return json.dumps(text)  # a basic string of TOML has the same escapes


def rotate(out: Output, new_key_file: str | None, *, dry_run: bool) -> int:
    """Everything under a new key."""
    file = sealed_file(choice(out))
    if dry_run:
        count = file.would_rotate(_whole(new_key_file))
        rows: tuple[tuple[str, str, bool], ...] = (("master key", f"a new one for {counted(count, 'secret')}", True),)
        return _tell(out, "rotate", rows, {"secrets_file": file.path, "secrets": count}, dry_run=True)
    try:
        old, new, count = file.rotate(_whole(new_key_file))
    except NotConfirmed:
        _tell_new_key(out, file, new_key_file)
        raise
    rows = (
        ("master key", f"{new}, it was {old}", True),
        ("sealed file", f"{file.path}, {counted(count, 'secret')}", True),
    )
    _tell_new_key(out, file, new_key_file)
    facts = {"secrets_file": file.path, "secrets": count, "old_key": old, "new_key": new}
    return _tell(out, "rotate", rows, facts, dry_run=False)


def _tell_new_key(out: Output, file: SecretsFile, new_key_file: str | None) -> None:
    """What must be done so that a key in a file of its own opens the secrets."""
    if new_key_file is None:
        return
    if isinstance(file.source, Credential):
        path = shlex.quote(new_key_file)
        seal = f"systemd-creds encrypt --name=mailpolicy.key {path} /etc/credstore.encrypted/mailpolicy.key"
        out.message(f"the new key is in {new_key_file}: give it to whoever reads the secrets, such as with {seal}")
        return
    config = out.context.host_config or host.DEFAULT_PATH
    instead = f", in the place of {file.source.name}" if isinstance(file.source, KeyFile) else ""
    line = f"key_file = {_quoted(os.path.abspath(new_key_file))}"
    out.message(f"nothing opens the secrets until the new key is named, name it in {config}{instead}: {line}")


def _tell(
    out: Output, what: str, rows: tuple[tuple[str, str, bool], ...], facts: dict[str, Any], *, dry_run: bool
) -> int:
    if not out.tells(dry_run=dry_run):
        return 0
    changed = any(made for _, _, made in rows)
    if out.context.format == "json":
        out.json(f"secrets-{what}/1", {"changed": changed, "dry_run": dry_run, **facts})
        return 0
    for subject, item, made in rows:
        out.record((subject, item, ("would change" if dry_run else "changed") if made else "ok"))
    return 0
