"""doctor: whether this machine is fit for mailpolicy, check by check, each with its cure.

Promises: nothing is changed, and no check keeps another one from being made.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import typer

from mailpolicy import host, pending
from mailpolicy.backends import SAFE, SEALED
from mailpolicy.cli.commands import new_app
from mailpolicy.cli.output import Output, require_format
from mailpolicy.cli.secrets import choice, named_secrets
from mailpolicy.credentials import Choice, Credentials, sealed_file
from mailpolicy.errors import Command, KeyringError, MailpolicyError, StoreError
from mailpolicy.store import Store, worst
from mailpolicy.system.files import is_there
from mailpolicy.system.trust import cure_for_root

if TYPE_CHECKING:
    from mailpolicy.cli.making import Workshop
    from mailpolicy.deploy.configured import Configured

OK, WARNING, ERROR = "ok", "warning", "error"
_VALIDATE = ("mailpolicy", "validate")


class Found(NamedTuple):
    """What a check came to, and the command that mends it, or the two to run one after the other."""

    state: str
    message: str
    cure: Command | None = None
    then: Command | None = None

    @property
    def cures(self) -> list[Command]:
        """The commands in their order."""
        return [command for command in (self.cure, self.then) if command is not None]


class Machine:
    """What the checks look at; each thing is read once, when the first check asks for it."""

    def __init__(self, out: Output) -> None:
        self.out = out

    @cached_property
    def store(self) -> Store:
        """The store. Raises StoreError."""
        return Store.read(self.out.around.file)

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
            return list(named_secrets(self.store.policy()))
        except StoreError:
            return None


def _store(machine: Machine) -> Iterator[Found]:
    findings, _ = machine.store.diagnose(["MP039"])
    path = machine.store.path
    if worst(findings, strict=False):
        yield Found(ERROR, f"{path} has errors, so nothing is decided", _VALIDATE)
    elif findings:
        count = len(findings)
        yield Found(WARNING, f"{path} has {count} warning{'s' * (count > 1)}", _VALIDATE)
    else:
        accounts = len(machine.store.policy().accounts)
        yield Found(OK, f"{path}, {accounts} accounts")


def _permissions(machine: Machine) -> Iterator[Found]:
    path = machine.out.around.file
    if machine.out.around.is_root:
        fix = cure_for_root(path, machine.out.trusted)
    else:
        mode = os.stat(path).st_mode if is_there(path, follow=True) else 0
        fix = ("chmod", "o-w", path) if mode & stat.S_IWOTH else None
    if fix:
        yield Found(ERROR, f"others can write {path} or a directory above it", fix)
    else:
        yield Found(OK, f"{path} can be changed only by {_who(machine)}")


def _who(machine: Machine) -> str:
    """Who can change a store that is safe."""
    if not machine.out.around.is_root:
        return "its owner and group"
    group = machine.out.trusted.group
    if group is None:
        return "root"
    import grp

    return f"root and the members of {grp.getgrgid(group).gr_name}, whom host.toml trusts"


def _host(machine: Machine) -> Iterator[Found]:
    around = machine.out.around
    path = around.host_config or host.DEFAULT_PATH
    host.read(around.host_config)
    there = is_there(path)
    yield Found(OK, path if there else f"there is no {path}, so everything is as usual")


def _keyring(machine: Machine) -> Iterator[Found]:
    named_by = "--keyring-backend" if machine.out.around.keyring_backend else "host.toml"
    try:
        chosen = machine.vault.used()
    except KeyringError as error:
        state = ERROR if machine.users or error.code != "no-keyring" else WARNING
        yield Found(state, str(error), error.fix)
        return
    name = chosen.name
    why = f"named by {named_by}" if chosen.named else "the safe one of the operating system, as none is named"
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
    yield Found(OK, f"{file.path}, written {facts.writes} times, key {facts.key_id} from {file.source.name}")
    if os.stat(file.path).st_mode & 0o077:
        yield Found(WARNING, f"{file.path} can be read by others", ("chmod", "0600", file.path))
    if machine.out.around.is_root and (cure := cure_for_root(file.path)) is not None:
        yield Found(ERROR, f"others can write {file.path} or a directory above it", cure)
    if file.half_rotated():
        yield Found(
            WARNING, "a rotation stopped after the file and before the key", ("mailpolicy", "secrets", "rotate")
        )


def _secrets(machine: Machine) -> Iterator[Found]:
    users = machine.users
    if users is None:
        return
    if not users:
        yield Found(OK, "the store names no secret")
        return
    missing = len(users) - len(machine.vault.several(users))
    if missing:
        yield Found(ERROR, f"{missing} of {len(users)} secrets are missing", ("mailpolicy", "secrets", "verify"))
    else:
        yield Found(OK, f"{len(users)} of {len(users)} secrets that the store names can be opened")


def _unfinished(machine: Machine) -> Iterator[Found]:
    for name in pending.names(machine.out.around.file):
        yield Found(WARNING, f"a change of {name} stopped half-way", ("mailpolicy", "validate", "--secrets"))


def _exports(machine: Machine) -> Iterator[Found]:
    around = machine.out.around
    tables = host.read(around.host_config).exports
    if not tables:
        return
    from mailpolicy.cli.making import Workshop
    from mailpolicy.deploy.configured import configured

    workshop = Workshop(machine.out)
    for export in configured(around.host_config or host.DEFAULT_PATH, tables):
        try:
            yield _looked_at(workshop, export)
        except MailpolicyError as error:
            yield Found(ERROR, f"{export.name}: {error}", error.fix)


def _looked_at(workshop: Workshop, export: Configured) -> Found:
    from mailpolicy.deploy.place import look
    from mailpolicy.export.stamp import State, stamped

    made = workshop.make(export.target, export.options)
    placed = look(export.place, stamped(export.target_name, made.body))
    cure = ("mailpolicy", "deploy", export.name)
    if placed.state is not State.CURRENT:
        return Found(ERROR, f"{export.name}: {export.place.path} is {placed.state}", cure)
    if placed.notes:
        return Found(ERROR, f"{export.name}: {'; '.join(placed.notes)}", cure)
    return Found(OK, f"{export.name}: {export.place.path} is {placed.state}")


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
}


def app() -> typer.Typer:
    """The command doctor."""
    command = new_app()
    command.command(
        help="Say which keyring is in use, why and whether it is safe, and check store and permissions.\n\n"
        "Exit status: 0 healthy (warnings too), 1 not."
    )(_doctor)
    return command


def _doctor(context: typer.Context) -> int:
    out: Output = context.obj
    require_format(out.around, "text", "json")
    machine = Machine(out)
    found = [(name, result) for name, check in CHECKS.items() for result in _made(check, machine)]
    ill = any(result.state == ERROR for _, result in found)
    if not out.around.quiet:
        if out.around.format == "json":
            checks = [
                {
                    "check": name,
                    "state": result.state,
                    "message": result.message,
                    "fix": " && ".join(map(shlex.join, result.cures)) or None,
                }
                for name, result in found
            ]
            out.json("doctor/1", {"file": out.around.file, "healthy": not ill, "checks": checks})
        else:
            out.rows(
                ("check", "state", "what", "cure"),
                [
                    (name, result.state, result.message, " && ".join(map(out.command, result.cures)) or "-")
                    for name, result in found
                ],
            )
    return int(ill)


def _made(check: Check, machine: Machine) -> list[Found]:
    results: list[Found] = []
    try:
        results += check(machine)
    except MailpolicyError as error:
        results.append(Found(ERROR, str(error), error.fix))
    return results
