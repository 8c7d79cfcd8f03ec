"""The checks of doctor; each yields results with the commands that fix a problem."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.cli import clients
from mailpolicy.cli.exports import Exporter
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import keyring_config
from mailpolicy.deploy import dovecot, managed
from mailpolicy.deploy.configured import data_files
from mailpolicy.errors import Command, KeyringError, MailpolicyError, StoreError
from mailpolicy.export.stamp import State, stamped
from mailpolicy.policy import bindings
from mailpolicy.policy.names import counted
from mailpolicy.policy.networks import ANYWHERE
from mailpolicy.policy.service import Service
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import Credentials, KeyringConfig, sealed_file
from mailpolicy.store.store import Store
from mailpolicy.system.keyrings.choice import SAFE_BACKENDS, SEALED_BACKEND
from mailpolicy.system.trust import ROOT_ONLY, Trusted, fix_for_others, fix_for_root

if TYPE_CHECKING:
    from mailpolicy.deploy.configured import ConfiguredExport

OK, WARNING, ERROR, SKIPPED = "ok", "warning", "error", "skipped"
_VALIDATE = ("mailpolicy", "validate")


class CheckResult(NamedTuple):
    """The result of a check, with the command that fixes it, or two to run one after the other."""

    state: str
    message: str
    fix: Command | None = None
    then: Command | None = None
    step: str | None = None  # the manual step, if no command fixes it

    @property
    def fixes(self) -> list[Command]:
        """Return the commands in the order in which to run them."""
        return [command for command in (self.fix, self.then) if command is not None]


class CheckInput:
    """The input of the checks, each part read when it is first used."""

    def __init__(self, out: Output, log: str | None) -> None:
        self.out = out
        self.log = log

    @cached_property
    def store(self) -> Store:
        """Read the store. Raises StoreError."""
        return Store.read(self.out.context.file)

    @cached_property
    def trusted(self) -> Trusted:
        """Return whom root trusts with the store; only root if host.toml is invalid, which has a check of its own."""
        try:
            return self.out.trusted
        except MailpolicyError:
            return ROOT_ONLY

    @cached_property
    def keyring_config(self) -> KeyringConfig:
        """Return the configuration of the keyring. Raises StoreError and Refused."""
        return keyring_config(self.out)

    @cached_property
    def keyring(self) -> Credentials:
        """The keyring. Raises StoreError and Refused."""
        return Credentials(self.keyring_config, lambda warning: None)

    @cached_property
    def users(self) -> list[str] | None:
        """Return the user names of the secrets that the store names, None if the store cannot be read."""
        try:
            return [secret.user for secret in bindings.named(self.store.policy())]
        except StoreError:
            return None


def _store(machine: CheckInput) -> Iterator[CheckResult]:
    accounts = len(machine.store.policy().accounts)
    findings, _ = machine.store.diagnose(["MP039"])
    path, count = machine.store.path, len(findings)
    if findings:
        yield CheckResult(WARNING, f"{path} has {counted(count, 'warning')}", _VALIDATE)
    else:
        yield CheckResult(OK, f"{path}, {counted(accounts, 'account')}")


def _permissions(machine: CheckInput) -> Iterator[CheckResult]:
    path = machine.out.context.file
    fix = fix_for_root(path, machine.trusted) if machine.out.context.is_root else fix_for_others(path)
    if fix:
        yield CheckResult(ERROR, f"other users can write {path} or a directory above it", fix)
    else:
        yield CheckResult(OK, f"only {_who(machine)} can write {path}")


def _who(machine: CheckInput) -> str:
    """Return who can write a store that is safe."""
    if not machine.out.context.is_root:
        return "its owner and group"
    group = machine.trusted.group
    if group is None:
        return "root"
    import grp

    return f"root and the trusted group {grp.getgrgid(group).gr_name}"


def _host(machine: CheckInput) -> Iterator[CheckResult]:
    document = machine.out.machine().settings.document
    yield CheckResult(OK, document.path if document is not None else "no host.toml: the defaults apply")


def _keyring(machine: CheckInput) -> Iterator[CheckResult]:
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


def _sealed(machine: CheckInput) -> Iterator[CheckResult]:
    if machine.keyring_config.backend != SEALED_BACKEND:
        return
    file = sealed_file(machine.keyring_config)
    header = file.header()
    yield CheckResult(
        OK, f"{file.path}, written {counted(header.writes, 'time')}, key {header.key_id} from {file.source.name}"
    )
    if os.stat(file.path).st_mode & 0o077:
        yield CheckResult(WARNING, f"other users can read {file.path}", ("chmod", "0600", file.path))
    if machine.out.context.is_root and (fix := fix_for_root(file.path)) is not None:
        yield CheckResult(ERROR, f"other users can write {file.path} or a directory above it", fix)
    if file.rotation_interrupted():
        yield CheckResult(WARNING, "a rotation of the key was interrupted", ("mailpolicy", "secrets", "rotate"))


def _secrets(machine: CheckInput) -> Iterator[CheckResult]:
    users = [secret.user for secret in bindings.named(machine.store.policy())]
    if not users:
        yield CheckResult(OK, "the store names no secret")
        return
    missing = len(users) - len(machine.keyring.get_many(users))
    if missing:
        yield CheckResult(ERROR, f"{missing} of {len(users)} secrets are missing", ("mailpolicy", "secrets", "verify"))
    else:
        yield CheckResult(OK, f"all {counted(len(users), 'secret')} can be opened")


def _unfinished(machine: CheckInput) -> Iterator[CheckResult]:
    for name in pending.user_names(machine.out.context.file, machine.trusted):
        yield CheckResult(WARNING, f"a change of {name} was interrupted", ("mailpolicy", "validate", "--secrets"))


def _exports(machine: CheckInput) -> Iterator[CheckResult]:
    exports = machine.out.machine().exports
    if not exports:
        return
    exporter = Exporter(machine.out)
    for export in exports:
        try:
            yield _check_export(exporter, export)
        except MailpolicyError as error:
            yield CheckResult(ERROR, f"{export.name}: {error}", error.fix)


def _check_export(exporter: Exporter, export: ConfiguredExport) -> CheckResult:
    made = exporter.make(export.target, export.options)
    deployed = managed.inspect(export.generated, stamped(export.target_name, made.body))
    fix = ("mailpolicy", "deploy", export.name)
    if deployed.state is not State.CURRENT:
        return CheckResult(ERROR, f"{export.name}: {export.generated.path} is {deployed.state}", fix)
    if deployed.notes:
        return CheckResult(ERROR, f"{export.name}: {'; '.join(deployed.notes)}", fix)
    return CheckResult(OK, f"{export.name}: {export.generated.path} is {deployed.state}")


def _dovecot(machine: CheckInput) -> Iterator[CheckResult]:
    for export in machine.out.machine().exports:
        if export.target_name == "dovecot-conf":
            try:
                yield _check_snippet(machine, export)
            except MailpolicyError as error:
                yield CheckResult(ERROR, f"{export.name}: {error}", error.fix)


def _check_snippet(machine: CheckInput, export: ConfiguredExport) -> CheckResult:
    doveconf = dovecot.Doveconf(export.doveconf)
    if (server := doveconf.configuration()) is not None:
        dovecot.refuse_other_version(server, export.options)
    enforcement = dovecot.check_enforcement(
        doveconf, export.options, export.generated.path, data_files(machine.out.machine().exports)
    )
    state = {True: OK, None: WARNING, False: ERROR}[enforcement.enforced]
    return CheckResult(state, f"{export.name}: {enforcement.message}")


def _clients(machine: CheckInput) -> Iterator[CheckResult]:
    policy = machine.store.policy()
    if all(policy.reach(alike[0].address, service) is ANYWHERE for alike in policy.alike() for service in Service):
        return  # nobody's access depends on where the client is
    result = clients.inspect_log(policy, machine.log)
    state = WARNING if result.single_address else OK if result.step is None else SKIPPED
    yield CheckResult(state, result.message, result.command, step=result.step)


Check = Callable[[CheckInput], Iterator[CheckResult]]
CHECKS: dict[str, Check] = {
    "store": _store,
    "permissions": _permissions,
    "host.toml": _host,
    "keyring": _keyring,
    "sealed file": _sealed,
    "secrets": _secrets,
    "unfinished": _unfinished,
    "exports": _exports,
    "dovecot": _dovecot,
    "clients": _clients,
}
# By check, the checks that must succeed first, with the reason to show if they did not.
_STORE, _HOST_TOML = ("store", "the store cannot be read"), ("host.toml", "host.toml cannot be read")
REQUIRES = {
    "keyring": (_HOST_TOML,),
    "sealed file": (_HOST_TOML,),
    "secrets": (
        _STORE,
        _HOST_TOML,
        ("keyring", "the keyring cannot be used"),
        ("sealed file", "the sealed file cannot be opened"),
    ),
    "exports": (_STORE, _HOST_TOML),
    "dovecot": (_HOST_TOML,),
    "clients": (_STORE,),
}
