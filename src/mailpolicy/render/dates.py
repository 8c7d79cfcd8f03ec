"""Dates for a person: the state of an account, and ends as short as they can be said."""

from __future__ import annotations

from datetime import datetime

from mailpolicy.policy.account import Account
from mailpolicy.policy.dates import Clock, End

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def short(end: End, now: Clock) -> str:
    """Return an end such as `4 Dec`, with the year if it is another one, and with the time if it is a moment.

    Whatever offset a moment is written with, it is shown as the clocks of the server's time zone show it.
    """
    shown = end.instant if end.is_instant and end.instant is not None else end.written
    text = f"{shown.day} {_MONTHS[shown.month - 1]}"
    if shown.year != now().astimezone(end.instant.tzinfo if end.instant is not None else None).year:
        text += f" {shown.year}"
    return f"{text} {shown:%H:%M}" if isinstance(shown, datetime) else text


def state(account: Account, now: Clock) -> str:
    """Return the state of an account for a list, such as `expired`, or `active, exception until 4 Dec`."""
    states = [word for word, holds in (("suspended", account.suspended), ("expired", account.expired)) if holds]
    words = ", ".join(states) or "active"
    if account.expires is not None and not account.expired and account.expires.instant is not None:
        words += f" until {short(account.expires, now)}"
    if account.in_force and account.temporary is not None:
        words += f", exception until {short(account.temporary.until, now)}"
    return words


def expiry(account: Account, now: Clock) -> str:
    """Return when an account expires or has expired."""
    if account.expires is None:
        return "never"
    when = f"{'at' if account.expires.is_instant else 'after'} {short(account.expires, now)}"
    return f"expired {when}" if account.expired else when


def exception(account: Account, now: Clock) -> str:
    """Return until when an account has an exception."""
    if account.temporary is None:
        return "none"
    when = f"until {short(account.temporary.until, now)}"
    if account.in_force:
        return when
    return f"{when}, without a switch" if not account.temporary.switches else f"{when}, over"
