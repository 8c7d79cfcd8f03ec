"""The checks of the exports and of Dovecot."""

from __future__ import annotations

from collections.abc import Iterator

from mailpolicy.cli.checks.result import ERROR, OK, WARNING, CheckInput, CheckResult
from mailpolicy.cli.exports import Exporter
from mailpolicy.deploy import coverage, dovecot, managed
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
            yield _check_export(exporter, exports, export)
        except MailpolicyError as error:
            yield CheckResult(ERROR, f"{export.name}: {error}", error.fix)


def _check_export(exporter: Exporter, exports: list[ConfiguredExport], export: ConfiguredExport) -> CheckResult:
    def make(before: bytes | None) -> bytes:
        body = exporter.make(export.target, export.options).body
        if export.target_name == "dovecot":
            body = coverage.body_for_now(exports, export, body, before)
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
        if export.target_name == "dovecot-conf":
            try:
                result = _check_snippet(machine, export)
            except MailpolicyError as error:
                result = CheckResult(ERROR, f"{export.name}: {error}", error.fix)
            failed = failed or result.state == ERROR
            yield result
    for export in exports:
        if export.target_name == "dovecot" and not failed:
            try:
                gap = coverage.find_gap(exports, export)
            except MailpolicyError as error:
                yield CheckResult(ERROR, f"{export.name}: {error}", error.fix)
            else:
                if gap is not None:
                    yield CheckResult(ERROR, f"{export.name}: {gap.message}", gap.fix)


def _check_snippet(machine: CheckInput, export: ConfiguredExport) -> CheckResult:
    doveconf = dovecot.Doveconf(export.doveconf)
    if (server := doveconf.configuration()) is not None:
        dovecot.refuse_other_version(server, export.options)
    enforcement = dovecot.check_enforcement(
        doveconf, export.options, export.generated.path, data_files(machine.out.machine().exports)
    )
    state = {True: OK, None: WARNING, False: ERROR}[enforcement.enforced]
    return CheckResult(state, f"{export.name}: {enforcement.message}")
