"""The checks of what time does to a store."""

from __future__ import annotations

from collections.abc import Iterator

from mailpolicy.cli import due
from mailpolicy.cli import machine as host_machine
from mailpolicy.cli.checks.result import ERROR, OK, WARNING, CheckInput, CheckResult
from mailpolicy.deploy import timers
from mailpolicy.deploy.last_run import LastRun
from mailpolicy.edit.remarks import names_or_count
from mailpolicy.policy import dates
from mailpolicy.policy.moments import next_change


def check_dates(machine: CheckInput) -> Iterator[CheckResult]:
    """Check that what has ended is closed, that the clock is right, and that a timer deploys when the next date comes."""
    draft = machine.store.draft  # of a store with errors, its valid parts
    if not draft.dated:
        return
    out = machine.out
    last_run = LastRun(host_machine.path(out.context))
    accounts = due.still_open(machine.store, out.now(), last_run) if machine.store.has_errors else []
    if accounts:
        yield CheckResult(ERROR, f"still open, although their time is over: {names_or_count(accounts)}", _VALIDATE)
    last_run.refuse_past(out.now())
    if accounts:
        return  # nothing changes before the store is mended
    following = next_change(draft, out.now)
    coming = f"the policy changes next at {dates.text(following)}" if following is not None else "all dates have passed"
    if following is None or not timers.is_systemd() or timers.starts_deploy() is not False:
        yield CheckResult(OK, coming)
    else:
        yield CheckResult(WARNING, f"{coming}, but no enabled timer starts deploy", _ENABLE)


_VALIDATE = ("mailpolicy", "validate")
_ENABLE = ("systemctl", "enable", "--now", "mailpolicy-deploy.timer")
