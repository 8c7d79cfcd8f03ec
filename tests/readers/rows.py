"""Readers of rows: plans, files of MDaemon, lists of networks, and lists of logins with passwords."""

from __future__ import annotations

from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets import logins as logins_command
from mailpolicy.edit import desired, lan
from mailpolicy.provisioning import forms, mdaemon
from tests.readers import stores


def plan(out: Output, data: bytes) -> None:
    """Read a plan and bring the accounts of a policy to what it wants."""
    rows = forms.read("-", data, forms.form_of("-", data))
    made = desired.apply(stores.policy(), rows, desired.Scope("-", prune=len(rows) > 1))
    out.lines(f"{result.subject} {result.item} {result.state}" for result in made.results)
    for note in made.notes:
        out.message(note)


def imported(out: Output, data: bytes) -> None:
    """Read the accounts of an MDaemon server, and the networks of its LAN list."""
    try:
        found = mdaemon.read("-", data, None).fitting(stores.policy())
        out.lines(f"{row.address} {dict(row.keys)} {mdaemon.words(found.reports[row.address])}" for row in found.rows)
    finally:
        made = lan.add(stores.policy(), mdaemon.lan_patterns("-", data))
        out.lines(f"{result.subject} {result.item} {result.state}" for result in made.results)


def logins(out: Output, data: bytes) -> None:
    """Read logins and passwords, and plan them."""
    found = logins_command._read("-", data)
    out.lines(f"{address} {login.line} {login.login}" for address, login in found.items())
    logins_command._plan(stores.policy(), found)
