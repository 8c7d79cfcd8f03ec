"""The checks of the exports and of Dovecot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from mailpolicy.cli.checks.result import ERROR, OK, SKIPPED, WARNING, CheckInput, CheckResult
from mailpolicy.cli.exports import Exporter
from mailpolicy.deploy import configured, coverage, dovecot, loading, managed
from mailpolicy.deploy.configured import ConfiguredExport, data_files
from mailpolicy.errors import MailpolicyError
from mailpolicy.export import SNIPPETS
from mailpolicy.export.dovecot import governed
from mailpolicy.export.stamp import State, stamped


def check_exports(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that the generated files are up to date."""
    exports = machine.out.machine().exports
    if not exports:
        return
    exporter = Exporter(machine.out)
    for export in exports:
        try:
            yield _check_export(machine, exporter, export)
        except MailpolicyError as error:
            yield CheckResult(ERROR, f"{export.name}: {error}", error.fix)
        if export.target_name == "sql" and not export.generated.commands:
            yield CheckResult(ERROR, f"{export.name}: nothing runs the script: add reload, see docs/database.md")
        for command in export.generated.commands if export.target_name == "sql" else ():
            if (advice := loading.explain_unnoticed(command)) is not None:
                yield CheckResult(ERROR, f"{export.name}: a failed update would not be noticed: {advice}")


def _check_export(machine: CheckInput, exporter: Exporter, export: ConfiguredExport) -> CheckResult:
    def make(before: bytes | None) -> bytes:
        body = exporter.make(export.target, export.options).body
        if export.target_name == "dovecot":
            body = coverage.body_for_now(machine.out.machine().exports, export, body, before, machine.out.now)
        return stamped(export.target_name, body)

    deployed = managed.inspect(export.generated, make)
    fix = ("mailpolicy", "deploy", export.name)
    if deployed.state is not State.CURRENT:
        return CheckResult(ERROR, f"{export.name}: {export.generated.path} is {deployed.state}", fix)
    if deployed.notes:
        return CheckResult(ERROR, f"{export.name}: {'; '.join(deployed.notes)}", fix)
    return CheckResult(OK, f"{export.name}: {export.generated.path} is {deployed.state}")


def check_dovecot(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that Dovecot enforces the policy, and asks about the services that the data files cover."""
    exports = machine.out.machine().exports
    failed = False
    for export in exports:
        if export.target_name in SNIPPETS:
            result = _reported(_check_snippet, machine, export)
            failed = failed or result.state == ERROR
            yield result
    for export in exports:
        if export.target_name == "dovecot":
            if not failed and (result := _reported(_check_data, machine, export)).state != OK:
                yield result
            if left := coverage.reload_unknown(exports, export):
                yield _check_kept(export, left)


def _reported(
    check: Callable[[CheckInput, ConfiguredExport], CheckResult], machine: CheckInput, export: ConfiguredExport
) -> CheckResult:
    try:
        result = check(machine, export)
    except MailpolicyError as error:
        result = CheckResult(ERROR, str(error), error.fix)
    return result._replace(message=f"{export.name}: {result.message}")


def _check_snippet(machine: CheckInput, export: ConfiguredExport) -> CheckResult:
    doveconf = dovecot.Doveconf(export.doveconf)
    if (server := doveconf.configuration()) is not None:
        dovecot.refuse_other_version(server, export.options)
    exported = data_files(machine.out.machine().exports)
    enforcement = dovecot.check_enforcement(
        doveconf, export.options, export.generated.path, export.passwd_file, exported
    )
    if enforcement.enforced and managed.reload_pending(export.generated):
        return CheckResult(WARNING, f"{enforcement.message} after the pending reload", ("mailpolicy", "deploy"))
    return CheckResult({True: OK, None: WARNING, False: ERROR}[enforcement.enforced], enforcement.message)


def _check_data(machine: CheckInput, export: ConfiguredExport) -> CheckResult:
    exports, path = machine.out.machine().exports, export.generated.path
    if coverage.refuse_gap(exports, export, governed(machine.store.policy())) or coverage.readers(exports, path):
        return CheckResult(OK, "")
    doveconf = dovecot.Doveconf(export.doveconf)
    return CheckResult(SKIPPED, f"whether Dovecot asks about {path} was not checked: {doveconf} is not installed")


def _check_kept(export: ConfiguredExport, services: Collection[str]) -> CheckResult:
    path = export.generated.path
    return CheckResult(
        WARNING,
        f"{export.name}: {path} still has the lines of {', '.join(services)}, as it is not known that Dovecot no longer asks "
        "about them; an hour after a reload without them they may go",
        configured.export_command("dovecot", export.settings, path),
    )
