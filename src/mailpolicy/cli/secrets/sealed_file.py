"""Set up the sealed file, and rotate its key.

Existing files are never overwritten; host.toml is only written if there is none. All paths are checked before the first
file is created.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import configured, keyring_config
from mailpolicy.errors import NotConfirmed, Refused, UsageError, WriteFailed
from mailpolicy.policy.names import counted
from mailpolicy.sealed.credential import Credential
from mailpolicy.sealed.file import DEFAULT_PATH
from mailpolicy.sealed.key_files import KeyFile
from mailpolicy.secrets.credentials import sealed_file
from mailpolicy.store import host
from mailpolicy.system.files import exists
from mailpolicy.system.held import locked, without_lock
from mailpolicy.system.keyrings.choice import SEALED_BACKEND
from mailpolicy.system.resolve import real_path

if TYPE_CHECKING:
    from mailpolicy.sealed.file import SecretsFile

DEFAULT_KEY = "/etc/mailpolicy/key"
_HOST_HEADING = "# Settings of this machine, which are not part of the policy: see docs/secrets.md of mailpolicy.\n"


def init(out: Output, secrets_file: str | None, key_file: str | None, *, key_in_keyring: bool, dry_run: bool) -> int:
    """Create a key, a sealed file and host.toml, as far as they do not exist."""
    if key_in_keyring and key_file is not None:
        raise UsageError("--key-file and --key-in-keyring cannot be combined")
    context = out.context
    config = context.host_config or host.DEFAULT_PATH
    if config == os.devnull:
        raise UsageError(f"host.toml has to name the sealed file, so it cannot be {os.devnull}: use --host-config PATH")
    with without_lock(config) as place:
        is_new = place.lstat() is None
    machine = host.Host() if is_new else out.machine().settings
    path = _absolute(secrets_file) or machine.secrets_file or DEFAULT_PATH
    key = None if key_in_keyring else _absolute(key_file) or machine.key_file
    if key is None and not key_in_keyring and (is_new or not exists(path)):
        key = DEFAULT_KEY  # not for an existing file, whose key host.toml names
    keyring = configured(context, machine)._replace(backend=SEALED_BACKEND, secrets_file=path, key_file=key)
    file = sealed_file(keyring)
    settings = {"keyring_backend": SEALED_BACKEND, "secrets_file": path}
    if isinstance(file.source, KeyFile):
        settings["key_file"] = file.source.name
    if key_in_keyring and machine.key_file is not None:
        raise Refused(
            "key_file is set, which takes precedence over a key in the keyring: remove that line",
            file=config,
            code="host-config-differs",
        )
    if not is_new:
        _require_settings(config, machine, settings, named=context.keyring_backend == SEALED_BACKEND)
    key_created, file_created = file.would_create()
    places = {config: "--host-config PATH or $MAILPOLICY_HOST_CONFIG"} if is_new else {}
    if file_created:
        places[path] = "--secrets-file PATH"
    if key_created and isinstance(file.source, KeyFile):
        places[file.source.name] = "--key-file PATH"
    _require_writable(places)
    if not dry_run:
        key_created, file_created = file.create()
        if is_new:
            _write_host_config(out, config, settings)
    rows = (
        ("master key", file.source.name, key_created),
        ("sealed file", path, file_created),
        ("host.toml", config, is_new),
    )
    if key_created and not dry_run:
        out.message(f"back up the master key, apart from {path}: without the key the secrets are lost")
    if is_new and context.host_config_option and not dry_run:
        out.message(
            f"every command needs this host.toml: add --host-config {config}, or set MAILPOLICY_HOST_CONFIG={config}"
        )
    return _report(out, "init", rows, {"secrets_file": path, "key": file.source.name}, dry_run=dry_run)


def _absolute(path: str | None) -> str | None:
    return os.path.abspath(path) if path is not None else None


def _require_writable(places: Mapping[str, str]) -> None:
    """Raise WriteFailed if a file could not be created; `places` maps each path to the option that changes it."""
    unwritable = []
    for path, option in places.items():
        folder = os.path.dirname(real_path(path))
        while not exists(folder, follow=True):
            folder = os.path.dirname(folder)
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
            read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
            reason = "read-only file system" if read_only else "permission denied"
            reason = reason if os.path.isdir(folder) else "not a directory"
            unwritable.append(f"{path} ({folder}: {reason}; to change it: {option})")
    if unwritable:
        raise WriteFailed(f"nothing was written, cannot create {', '.join(unwritable)}")


def _require_settings(config: str, machine: host.Host, settings: dict[str, str], *, named: bool) -> None:
    """Raise Refused if an existing host.toml does not name the file that is to be created."""
    current = {
        "keyring_backend": SEALED_BACKEND if named else machine.keyring_backend,
        "secrets_file": machine.secrets_file or DEFAULT_PATH,
        "key_file": machine.key_file,
    }
    differing = {key: f"{key} = {_toml_string(value)}" for key, value in settings.items() if current[key] != value}
    if differing:
        lines = {key: machine.document.line((key,)) if machine.document is not None else None for key in differing}
        cures = [f"on line {line} write {differing[key]}" for key, line in lines.items() if line is not None]
        missing = [differing[key] for key, line in lines.items() if line is None]
        cures += [f"add at its top, each on a line: {'  '.join(missing)}"] if missing else []
        raise Refused(
            f"exists already, and does not name the file that would be made; {'; '.join(cures)}",
            file=config,
            code="host-config-differs",
        )


def _write_host_config(out: Output, config: str, settings: dict[str, str]) -> None:
    lines = "".join(f"{key} = {_toml_string(value)}\n" for key, value in settings.items())
    with locked(config, out.context.lock_timeout, make_folders=0o755) as file:
        if file.lstat() is not None:
            raise Refused(
                "was created by another program in the meantime and left as it is: run this again",
                file=config,
                code="host-config-differs",
            )
        file.create((_HOST_HEADING + lines).encode())


def _toml_string(text: str) -> str:
    import json

    return json.dumps(text)  # a basic string of TOML has the same escapes


def rotate(out: Output, new_key_file: str | None, *, dry_run: bool) -> int:
    """Encrypt all secrets under a new key."""
    file = sealed_file(keyring_config(out))
    if dry_run:
        count = file.would_rotate(_absolute(new_key_file))
        rows: tuple[tuple[str, str, bool], ...] = (("master key", f"a new one for {counted(count, 'secret')}", True),)
        return _report(out, "rotate", rows, {"secrets_file": file.path, "secrets": count}, dry_run=True)
    try:
        old, new, count = file.rotate(_absolute(new_key_file))
    except NotConfirmed:
        _explain_new_key(out, file, new_key_file)
        raise
    rows = (
        ("master key", f"{new}, it was {old}", True),
        ("sealed file", f"{file.path}, {counted(count, 'secret')}", True),
    )
    _explain_new_key(out, file, new_key_file)
    facts = {"secrets_file": file.path, "secrets": count, "old_key": old, "new_key": new}
    return _report(out, "rotate", rows, facts, dry_run=False)


def _explain_new_key(out: Output, file: SecretsFile, new_key_file: str | None) -> None:
    """Print how to put a key in a new file into use."""
    if new_key_file is None:
        return
    if isinstance(file.source, Credential):
        path = shlex.quote(new_key_file)
        seal = f"systemd-creds encrypt --name=mailpolicy.key {path} /etc/credstore.encrypted/mailpolicy.key"
        out.message(f"the new key is in {new_key_file}: make it the credential of the units that need it: {seal}")
        return
    config = out.context.host_config or host.DEFAULT_PATH
    instead = f", instead of {file.source.name}" if isinstance(file.source, KeyFile) else ""
    line = f"key_file = {_toml_string(os.path.abspath(new_key_file))}"
    out.message(f"to open the secrets with the new key, set in {config}{instead}: {line}")


def _report(
    out: Output, command: str, rows: tuple[tuple[str, str, bool], ...], facts: dict[str, Any], *, dry_run: bool
) -> int:
    changed = any(created for _, _, created in rows)
    out.change_made = changed and not dry_run
    if not out.shows_results(dry_run=dry_run):
        return 0
    if out.context.format == "json":
        out.json(f"secrets-{command}/1", {"changed": changed, "dry_run": dry_run, **facts})
        return 0
    for subject, item, created in rows:
        out.record((subject, item, ("would change" if dry_run else "changed") if created else "ok"))
    return 0
