"""Deploy one export, and end the sessions that it no longer allows."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

from mailpolicy.cli import machine
from mailpolicy.cli.exports import Exporter, difference, refuse_own
from mailpolicy.cli.output import Output
from mailpolicy.deploy import coverage, dovecot, sessions
from mailpolicy.deploy.configured import ConfiguredExport, data_files
from mailpolicy.deploy.managed import DeployResult, inspect, trusted_with, update
from mailpolicy.errors import Advice, KeyringError, MailpolicyError, NotConfirmed, WriteFailed
from mailpolicy.export import SNIPPETS
from mailpolicy.export.dovecot import ALWAYS, narrowed, restricted
from mailpolicy.export.dovecot import governed as covering
from mailpolicy.export.stamp import State, stamped
from mailpolicy.policy.model import Policy
from mailpolicy.review.guard import CasesUnusable, Failure
from mailpolicy.system.held import Held
from mailpolicy.system.keyrings.choice import SEALED_BACKEND
from mailpolicy.system.resolve import real_path


class Result(NamedTuple):
    """The result of deploying one export."""

    export: ConfiguredExport
    outcome: DeployResult | None
    error: MailpolicyError | None = None
    difference: str = ""  # what would change, secrets as stars
    dry_run: bool = False

    @property
    def in_place(self) -> bool:
        """Return whether the new file was written although the disk did not confirm it."""
        error, path = self.error, real_path(self.export.generated.path)
        return isinstance(error, NotConfirmed) and error.file is not None and real_path(error.file) == path

    @property
    def differs(self) -> bool:
        """Return whether something still differs from the policy."""
        if self.outcome is None or self.error is not None:
            return True
        return self.dry_run and (self.outcome.state is not State.CURRENT or bool(self.outcome.notes))


def deploy_export(out: Output, exporter: Exporter, export: ConfiguredExport, *, dry_run: bool) -> Result:
    """Deploy one export, or with `dry_run` only compare it; an error is returned in the result."""
    notes: list[str] = []
    body: list[str] = []
    changes = ""
    doveconf, exports = dovecot.Doveconf(export.doveconf), out.machine().exports
    is_snippet = export.target_name in SNIPPETS
    wait = out.context.lock_timeout

    def make(before: bytes | None) -> bytes:
        made = exporter.make(export.target, export.options)
        notes[:], body[:] = made.notes, [made.body]
        if export.target_name == "dovecot":
            body[:] = [coverage.body_for_now(exports, export, made.body, before, out.now)]
        return stamped(export.target_name, body[0])

    def before_replace(file: Held, before: bytes | None, wanted: bytes) -> None:
        if server is not None:
            dovecot.refuse_broken(server, doveconf, export.generated.path, wanted)
        if export.passwd_file is not None:
            coverage.refuse_uncovered(exports, export.passwd_file, body[0])
        if keys := _narrowed(export, before, body):
            sessions.record(file, keys)

    try:
        if export.error is not None:
            raise export.error
        refuse_own(out, export.generated.path)
        server = doveconf.configuration() if is_snippet else None
        if server is not None:
            dovecot.refuse_other_version(server, export.options)
        if dry_run:
            deployed = inspect(export.generated, make)
            wanted = stamped(export.target_name, body[0])
            changes = difference(export.generated.path, export.target, deployed.before, wanted)
        else:
            coverage.owe_confirmation(exports, export, wait)
            deployed = update(export.generated, make, wait, before_replace)
            if deployed.reloaded:
                # Without the date the lines stay, and the next deploy reloads once more.
                with suppress(MailpolicyError):
                    coverage.note_reload(exports, export, out.now, wait)
    except MailpolicyError as error:
        return Result(export, None, error)
    except OSError as error:  # an unexpected one, too, ends only this export
        why = (error.strerror or "input/output error").lower()
        return Result(export, None, WriteFailed(why, file=error.filename or export.generated.path))
    if is_snippet and deployed.state is not State.CURRENT:
        reloads = dry_run or bool(export.generated.commands)
        notes += coverage.explain_change(deployed.before, body[0], reloads=reloads)
    for note in (*notes, *deployed.notes):
        out.message(f"{export.name}: {note}")
    return Result(export, deployed, deployed.reload_error, changes, dry_run)


class CaseCheck(NamedTuple):
    """The cases of host.toml that do not hold; `error` says why that is not known, if they cannot be used."""

    broken: list[Failure]
    error: str | None = None

    @property
    def content(self) -> dict[str, Any]:
        """Return the check for JSON."""
        return {"cases": [failure.content for failure in self.broken], "cases_error": self.error}


def check_cases(out: Output, policy: Policy) -> CaseCheck:
    """Return the cases of host.toml that do not hold, and warn of each: an edit by hand is held against none."""
    if out.guard is None:
        return CaseCheck([])
    try:
        broken = out.guard.failures(policy)
    except CasesUnusable as error:
        out.message(f"warning: {error}")
        return CaseCheck([], str(error))
    for failure in broken:
        out.message(f"warning: {failure.located}")
    return CaseCheck(broken)


def check_age_of_secrets(out: Output, exporter: Exporter, *, dry_run: bool) -> None:
    """Warn if the sealed file that was used is an older copy, otherwise write down which one it was."""
    if not exporter.opened_keyring:
        return
    from mailpolicy.cli.secrets.lookup import keyring_config  # these are there already, as the keyring was opened
    from mailpolicy.deploy.sealed_writes import SealedWrites
    from mailpolicy.secrets.credentials import sealed_file

    config = keyring_config(out)
    if config.backend != SEALED_BACKEND:
        return
    file = sealed_file(config)
    with suppress(KeyringError):  # the export that needed the file has reported it
        header = file.header()
        noted = SealedWrites(machine.path(out.context), file.path)
        if (older := noted.older(header)) is not None:
            out.message(older._replace(text=f"warning: {older.text}"))
        elif not dry_run:
            noted.record(header)


def check_enforced(out: Output, exporter: Exporter, results: list[Result]) -> None:
    """Add an error to each result whose file Dovecot does not enforce; that of a snippet stands for its data file too."""
    snippets_first = sorted(range(len(results)), key=lambda index: results[index].export.target_name == "dovecot")
    failed = False
    for index in snippets_first:
        result = results[index]
        is_snippet = result.export.target_name in SNIPPETS
        if result.error is None and result.outcome is not None and (is_snippet or not failed):
            try:
                _refuse_unenforced(out, exporter, result.export, result.outcome)
            except MailpolicyError as error:
                results[index] = result._replace(error=error)
        failed = failed or (is_snippet and results[index].error is not None)


def _refuse_unenforced(out: Output, exporter: Exporter, export: ConfiguredExport, deployed: DeployResult) -> None:
    """Raise NotEnforced or Refused if Dovecot does not enforce an installed file."""
    exports, path = out.machine().exports, export.generated.path
    if export.target_name == "dovecot":
        governed = covering(exporter.policy)
        known = coverage.refuse_gap(exports, export, governed)
        if not known and deployed.written and governed != ALWAYS and not coverage.readers(exports, path):
            unknown = f"whether Dovecot asks about {path} was not checked: {dovecot.Doveconf(export.doveconf)}"
            out.message(f"{export.name}: warning: {unknown} is not installed")
    elif export.target_name in SNIPPETS and (deployed.written or deployed.state is State.CURRENT):
        doveconf = dovecot.Doveconf(export.doveconf)
        enforcement = dovecot.check_enforcement(doveconf, export.options, path, export.passwd_file, data_files(exports))
        if enforcement.enforced is None and deployed.written:
            out.message(f"{export.name}: warning: {enforcement.message}")
        if enforcement.enforced is False:
            raise dovecot.NotEnforced(enforcement.message)


def _narrowed(export: ConfiguredExport, before: bytes | None, body: list[str]) -> tuple[str, ...]:
    if export.target_name != "dovecot" or before is None:
        return ()
    return tuple(narrowed(before.decode("utf-8", "replace"), body[0], export.options.strategy))


def kick_sessions(
    out: Output, result: Result, default_domains: set[str], kicked: list[str], failed: list[str], *, ask: bool
) -> None:
    """End the pending sessions of an export and add to `kicked` and `failed`; without `ask` only print that there are some."""
    if result.export.target_name != "dovecot" or result.outcome is None:
        return
    generated, strategy = result.export.generated, result.export.options.strategy
    try:
        recorded = sessions.pending(generated.path)
        # Who got the access back since, or whose service is no longer governed, has no session to lose.
        still = {*restricted(recorded, dovecot.text_of(generated.path), strategy)} if recorded else set()
        names = {
            key: sessions.login_names([sessions.user_of(key)], default_domains)
            for key in recorded
            if key in still or "/" not in key
        }
        pending = list(dict.fromkeys(name for listed in names.values() for name in listed))
        if pending and not ask:
            named = ", ".join(pending) if len(pending) <= 20 else f"{len(pending)} accounts"
            said = f"{result.export.name}: open sessions of {named} continue"
            out.message(Advice(said, ("mailpolicy", "deploy", "--kick")))
        elif recorded and ask:
            kick_result = sessions.kick(result.export.kick, pending, out.message)
            kicked += kick_result.kicked
            failed += kick_result.failed.values()
            done = {key for key in recorded if kick_result.failed.keys().isdisjoint(names.get(key, ()))}
            sessions.clear(generated.path, done, out.context.lock_timeout, trusted_with(generated))
    except MailpolicyError as error:
        failed.append(str(Advice(str(error), error.fix)) if error.fix else str(error))
