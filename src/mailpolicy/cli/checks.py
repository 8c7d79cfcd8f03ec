"""The checks of doctor: what of this machine mailpolicy depends on, and for each ill the cure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.cli import clients
from mailpolicy.cli.exports import Workshop
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import choice
from mailpolicy.deploy import dovecot, managed
from mailpolicy.deploy.configured import data_files
from mailpolicy.errors import Command, KeyringError, MailpolicyError, StoreError
from mailpolicy.export.stamp import State, stamped
from mailpolicy.policy import bindings
from mailpolicy.policy.names import counted
from mailpolicy.policy.networks import ANYWHERE
from mailpolicy.policy.service import Service
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import Choice, Credentials, sealed_file
from mailpolicy.store.store import Store
from mailpolicy.system.keyrings.choice import SAFE, SEALED
from mailpolicy.system.trust import ROOT_ONLY, Trusted, cure_for_others, cure_for_root

if TYPE_CHECKING:
    from mailpolicy.cli.exports import Workshop
    from mailpolicy.deploy.configured import Configured

OK, WARNING, ERROR, SKIPPED = "ok", "warning", "error", "skipped"
_VALIDATE = ("mailpolicy", "validate")


class Found(NamedTuple):
    """What a check came to, and the command that mends it, or the two to run one after the other."""

    state: str
    message: str
    cure: Command | None = None
    then: Command | None = None
    step: str | None = None  # what somebody must do by hand, where no command does it

    @property
    def cures(self) -> list[Command]:
        """The commands in their order."""
        return [command for command in (self.cure, self.then) if command is not None]


class Machine:
    """What the checks look at; each thing is read once, when the first check asks for it."""

    def __init__(self, out: Output, log: str | None) -> None:
        self.out = out
        self.log = log

    @cached_property
    def store(self) -> Store:
        """The store. Raises StoreError."""
        return Store.read(self.out.context.file)

    @cached_property
    def trusted(self) -> Trusted:
        """Whom root trusts with the store; nobody else if host.toml cannot be read, which has a line of its own."""
        try:
            return self.out.trusted
        except MailpolicyError:
            return ROOT_ONLY

    @cached_property
    def choice(self) -> Choice:
        """What was said about the keyring. Raises StoreError and Refused."""
        return choice(self.out)

    @cached_property
    def vault(self) -> Credentials:
        """The keyring. Raises StoreError and Refused."""
        return Credentials(self.choice, lambda warning: None)

    @cached_property
    def users(self) -> list[str] | None:
        """The secrets that the store names; None where it cannot be read."""
        try:
            return [secret.user for secret in bindings.named_secrets(self.store.policy())]
        except StoreError:
            return None


def _store(machine: Machine) -> Iterator[Found]:
    accounts = len(machine.store.policy().accounts)
    findings, _ = machine.store.diagnose(["MP039"])
    path, count = machine.store.path, len(findings)
    if findings:
        yield Found(WARNING, f"{path} has {counted(count, 'warning')}", _VALIDATE)
    else:
        yield Found(OK, f"{path}, {counted(accounts, 'account')}")


def _permissions(machine: Machine) -> Iterator[Found]:
    path = machine.out.context.file
    fix = cure_for_root(path, machine.trusted) if machine.out.context.is_root else cure_for_others(path)
    if fix:
        yield Found(ERROR, f"others can write {path} or a directory above it", fix)
    else:
        yield Found(OK, f"{path} can be changed only by {_who(machine)}")


def _who(machine: Machine) -> str:
    """Who can change a store that is safe."""
    if not machine.out.context.is_root:
        return "its owner and group"
    group = machine.trusted.group
    if group is None:
        return "root"
    import grp

    return f"root and the members of {grp.getgrgid(group).gr_name}, whom host.toml trusts"


def _host(machine: Machine) -> Iterator[Found]:
    document = machine.out.machine().settings.document
    yield Found(OK, document.path if document is not None else "no host.toml: the defaults apply")


def _keyring(machine: Machine) -> Iterator[Found]:
    named_by = "--keyring-backend" if machine.out.context.keyring_backend else "host.toml"
    try:
        chosen = machine.vault.used()
    except KeyringError as error:
        if machine.users or error.code != "no-keyring":
            raise
        yield Found(WARNING, str(error), error.fix)
        return
    name = chosen.name
    why = f"named by {named_by}" if chosen.named else "found automatically (no backend is configured)"
    if chosen.exposed is not None:
        yield Found(ERROR, f"{name}, {why}: {chosen.exposed} does not protect secrets", *_moves(name))
    elif name in (*SAFE, SEALED):
        yield Found(OK, f"{name}, {why}: safe")
    else:
        yield Found(WARNING, f"{name}, {why}: whether it is safe is not known", *_moves(name))


def _moves(name: str) -> tuple[Command, Command]:
    secrets = ("mailpolicy", "secrets")
    return (*secrets, "init"), (*secrets, "move", "--from", name, "--to", SEALED)


def _sealed(machine: Machine) -> Iterator[Found]:
    if machine.choice.backend != SEALED:
        return
    file = sealed_file(machine.choice)
    facts = file.facts()
    yield Found(OK, f"{file.path}, written {counted(facts.writes, 'time')}, key {facts.key_id} from {file.source.name}")
    if os.stat(file.path).st_mode & 0o077:
        yield Found(WARNING, f"{file.path} can be read by others", ("chmod", "0600", file.path))
    if machine.out.context.is_root and (cure := cure_for_root(file.path)) is not None:
        yield Found(ERROR, f"others can write {file.path} or a directory above it", cure)
    if file.half_rotated():
        yield Found(
            WARNING, "a rotation stopped after the file and before the key", ("mailpolicy", "secrets", "rotate")
        )


def _secrets(machine: Machine) -> Iterator[Found]:
    users = [secret.user for secret in bindings.named_secrets(machine.store.policy())]
    if not users:
        yield Found(OK, "the store names no secret")
        return
    missing = len(users) - len(machine.vault.several(users))
    if missing:
        yield Found(ERROR, f"{missing} of {len(users)} secrets are missing", ("mailpolicy", "secrets", "verify"))
    else:
        yield Found(OK, f"{len(users)} of {len(users)} secrets that the store names can be opened")


def _unfinished(machine: Machine) -> Iterator[Found]:
    for name in pending.names(machine.out.context.file, machine.trusted):
        yield Found(WARNING, f"a change of {name} stopped half-way", ("mailpolicy", "validate", "--secrets"))


def _exports(machine: Machine) -> Iterator[Found]:
    exports = machine.out.machine().exports
    if not exports:
        return
    workshop = Workshop(machine.out)
    for export in exports:
        try:
            yield _looked_at(workshop, export)
        except MailpolicyError as error:
            yield Found(ERROR, f"{export.name}: {error}", error.fix)


def _looked_at(workshop: Workshop, export: Configured) -> Found:
    made = workshop.make(export.target, export.options)
    placed = managed.look(export.place, stamped(export.target_name, made.body))
    cure = ("mailpolicy", "deploy", export.name)
    if placed.state is not State.CURRENT:
        return Found(ERROR, f"{export.name}: {export.place.path} is {placed.state}", cure)
    if placed.notes:
        return Found(ERROR, f"{export.name}: {'; '.join(placed.notes)}", cure)
    return Found(OK, f"{export.name}: {export.place.path} is {placed.state}")


def _dovecot(machine: Machine) -> Iterator[Found]:
    for export in machine.out.machine().exports:
        if export.target_name == "dovecot-conf":
            try:
                yield _obeyed(machine, export)
            except MailpolicyError as error:
                yield Found(ERROR, f"{export.name}: {error}", error.fix)


def _obeyed(machine: Machine, export: Configured) -> Found:
    doveconf = dovecot.Doveconf(export.doveconf)
    if (server := doveconf.configuration()) is not None:
        dovecot.refuse_other_version(server, export.options)
    judged = dovecot.judged(doveconf, export.options, export.place.path, data_files(machine.out.machine().exports))
    state = {True: OK, None: WARNING, False: ERROR}[judged.obeyed]
    return Found(state, f"{export.name}: {judged.message}")


def _clients(machine: Machine) -> Iterator[Found]:
    policy = machine.store.policy()
    if all(policy.scope(group[0].address, service) is ANYWHERE for group in policy.groups() for service in Service):
        return  # nobody's access depends on where the client is
    seen = clients.look(policy, machine.log)
    state = WARNING if seen.one else OK if seen.step is None else SKIPPED
    yield Found(state, seen.message, seen.command, step=seen.step)


Check = Callable[[Machine], Iterator[Found]]
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
# The checks that are not made where another one could not be, and what is said then.
_STORE, _HOST_TOML = ("store", "the store cannot be read"), ("host.toml", "host.toml cannot be read")
NEEDS = {
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
