"""The checks of the store, its permissions, host.toml and the addresses of clients."""

from __future__ import annotations

from collections.abc import Iterator

from mailpolicy.cli import clients
from mailpolicy.cli.checks.result import ERROR, OK, SKIPPED, WARNING, CheckInput, CheckResult
from mailpolicy.policy.names import counted
from mailpolicy.policy.networks import ANYWHERE
from mailpolicy.policy.service import Service
from mailpolicy.system.trust import fix_for_others, fix_for_root

_VALIDATE = ("mailpolicy", "validate")


def check_store(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that the store can be read and has no findings."""
    accounts = len(machine.store.policy().accounts)
    findings, _ = machine.store.diagnose(["MP039"])
    path, count = machine.store.path, len(findings)
    if findings:
        yield CheckResult(WARNING, f"{path} has {counted(count, 'warning')}", _VALIDATE)
    else:
        yield CheckResult(OK, f"{path}, {counted(accounts, 'account')}")


def check_permissions(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that only trusted users can write the store."""
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


def check_host_config(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that host.toml is valid."""
    host = machine.out.machine()
    host.refuse_removed_key()
    document = host.settings.document
    yield CheckResult(OK, document.path if document is not None else "no host.toml: the defaults apply")


def check_cases(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that the cases that edits are held against hold, as an edit by hand is held against none."""
    if (guard := machine.out.guard) is None:
        return
    broken = guard.failures(machine.store.policy())
    for failure in broken:
        yield CheckResult(ERROR, failure.located, ("mailpolicy", "test", guard.path))
    if not broken:
        yield CheckResult(OK, f"{guard.path}: {counted(len(guard.read().cases), 'case')}, all hold")


def check_clients(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that clients reach the server with their own addresses, if the policy depends on them."""
    policy = machine.store.policy().at_present(machine.out.now)
    if all(policy.scope(group[0].address, service) is ANYWHERE for group in policy.groups() for service in Service):
        return  # nobody's access depends on where the client is
    result = clients.inspect_log(policy, machine.log)
    state = WARNING if result.single_address else OK if result.step is None else SKIPPED
    yield CheckResult(state, result.message, result.command, step=result.step)
