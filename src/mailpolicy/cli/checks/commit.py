"""The check of which commit the store is, in the repository that host.toml names or in the one around the store."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from mailpolicy.cli.checks.result import OK, SKIPPED, WARNING, CheckInput, CheckResult
from mailpolicy.errors import Command, Refused
from mailpolicy.system import git
from mailpolicy.system.resolve import real_path

# What docs/systemd/mailpolicy-pull writes and reads.
_IN_FORCE = "refs/mailpolicy/in-force"
_NAME = "accounts.toml"


def check_commit(machine: CheckInput) -> Iterator[CheckResult]:
    """Say which commit the store is. A repository of another user is not read by root."""
    repository = machine.out.machine().settings.repository
    try:
        if repository is not None:
            yield _compared_with_force(machine, repository)
        else:
            yield from _compared_with_head(machine)
    except Refused as error:
        yield CheckResult(SKIPPED, f"the repository {error.file} belongs to another user, so root does not read it")


def _compared_with_force(machine: CheckInput, repository: str) -> CheckResult:
    commit = git.commit_id(_IN_FORCE, repository)
    if commit is None:
        step = "run mailpolicy-pull COMMIT, see docs/several-nodes.md"
        return CheckResult(WARNING, f"no commit of {repository} is in force", step=step)
    name = f"{commit}:{_NAME}"
    if git.read_blob(name, repository) == machine.store.data:
        return _same(machine, commit, repository)
    show = shlex.join(("git", "-C", repository, "cat-file", "blob", name))
    step = f"{show} | {shlex.join(('mailpolicy', 'diff', '-', machine.store.path))}"
    return _differs(machine, f"{commit}, which is in force ({repository})", step=step)


def _compared_with_head(machine: CheckInput) -> Iterator[CheckResult]:
    folder, name = os.path.split(real_path(machine.store.path))
    commit = git.commit_id("HEAD", folder)
    if commit is None:
        return
    try:
        committed = git.read_blob(f"{commit}:./{name}", folder)
    except git.NotInRevision:
        yield CheckResult(OK, f"{machine.store.path} is not in commit {commit} of the repository around it")
        return
    if committed == machine.store.data:
        yield _same(machine, commit, folder)
    else:
        yield _differs(machine, f"{commit} ({folder})", ("mailpolicy", "diff", "HEAD", "--file", machine.store.path))


def _same(machine: CheckInput, commit: str, place: str) -> CheckResult:
    return CheckResult(OK, f"{machine.store.path} is that of commit {commit} ({place})")


def _differs(machine: CheckInput, commit: str, fix: Command | None = None, *, step: str | None = None) -> CheckResult:
    return CheckResult(WARNING, f"{machine.store.path} differs from that of commit {commit}", fix, step=step)
