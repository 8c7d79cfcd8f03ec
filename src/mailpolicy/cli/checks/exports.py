"""The checks of the exports and of Dovecot."""

from __future__ import annotations

from collections.abc import Iterator

from mailpolicy.cli.checks.result import ERROR, OK, WARNING, CheckInput, CheckResult
from mailpolicy.cli.exports import Exporter
from mailpolicy.deploy import dovecot, managed
from mailpolicy.deploy.configured import ConfiguredExport, data_files
from mailpolicy.errors import MailpolicyError
from mailpolicy.export.stamp import State, stamped


def check_exports(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that the generated files are up to date."""
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


def check_dovecot(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that Dovecot enforces the policy."""
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
