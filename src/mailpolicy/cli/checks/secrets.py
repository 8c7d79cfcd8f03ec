"""The checks of the keyring, the sealed file and the secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mailpolicy.cli import machine as host_machine
from mailpolicy.cli.checks.result import ERROR, OK, WARNING, CheckInput, CheckResult
from mailpolicy.deploy.sealed_writes import SealedWrites
from mailpolicy.errors import Command, KeyringError
from mailpolicy.policy import bindings
from mailpolicy.policy.names import counted
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import sealed_file
from mailpolicy.system.keyrings.choice import SAFE_BACKENDS, SEALED_BACKEND
from mailpolicy.system.trust import fix_for_root


def check_keyring(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that the keyring can be used and is safe."""
    named_by = "--keyring-backend" if machine.out.context.keyring_backend else "host.toml"
    try:
        chosen = machine.keyring.backend()
    except KeyringError as error:
        if machine.users or error.code != "no-keyring":
            raise
        yield CheckResult(WARNING, str(error), error.fix)
        return
    name = chosen.name
    why = f"named by {named_by}" if chosen.explicit else "found automatically (no backend is configured)"
    if chosen.insecure is not None:
        yield CheckResult(ERROR, f"{name}, {why}: {chosen.insecure} does not protect secrets", *_moves(name))
    elif name in (*SAFE_BACKENDS, SEALED_BACKEND):
        yield CheckResult(OK, f"{name}, {why}: safe")
    else:
        yield CheckResult(WARNING, f"{name}, {why}: not known to be safe", *_moves(name))


def _moves(name: str) -> tuple[Command, Command]:
    secrets = ("mailpolicy", "secrets")
    return (*secrets, "init"), (*secrets, "move", "--from", name, "--to", SEALED_BACKEND)


def check_sealed_file(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that the sealed file opens and is safe, and that no rotation was interrupted."""
    if machine.keyring_config.backend != SEALED_BACKEND:
        return
    file = sealed_file(machine.keyring_config)
    header = file.header()
    if (older := SealedWrites(host_machine.path(machine.out.context), file.path).older(header)) is not None:
        yield CheckResult(WARNING, older.text, older.command)
    yield CheckResult(
        OK, f"{file.path}, written {counted(header.writes, 'time')}, key {header.key_id} from {file.source.name}"
    )
    if os.stat(file.path).st_mode & 0o077:
        yield CheckResult(WARNING, f"other users can read {file.path}", ("chmod", "0600", file.path))
    if machine.out.context.is_root and (fix := fix_for_root(file.path)) is not None:
        yield CheckResult(ERROR, f"other users can write {file.path} or a directory above it", fix)
    if file.rotation_interrupted():
        yield CheckResult(WARNING, "a rotation of the key was interrupted", ("mailpolicy", "secrets", "rotate"))


def check_secrets(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that every secret that the store names exists."""
    users = [secret.user for secret in bindings.named_secrets(machine.store.policy())]
    if not users:
        yield CheckResult(OK, "the store names no secret")
        return
    missing = len(users) - len(machine.keyring.get_many(users))
    if missing:
        yield CheckResult(ERROR, f"{missing} of {len(users)} secrets are missing", ("mailpolicy", "secrets", "verify"))
    else:
        yield CheckResult(OK, f"all {counted(len(users), 'secret')} can be opened")


def check_pending_changes(machine: CheckInput) -> Iterator[CheckResult]:
    """Check for interrupted changes of secrets."""
    for name in pending.interrupted(machine.out.context.file, machine.trusted):
        yield CheckResult(WARNING, f"a change of {name} was interrupted", ("mailpolicy", "validate", "--secrets"))
