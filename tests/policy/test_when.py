"""Days and moments of a command line: what they mean, and one clear line for each that means none."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from mailpolicy.policy.dates import end, instant
from mailpolicy.policy.when import DateRejected, parse
from mailpolicy.system.zones import zone
from tests.helpers import NOW, Run

BERLIN = zone("Europe/Berlin")
LAST = "9999-12-31T23:59:59Z"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("today", date(2026, 11, 27)),
        ("2026-12-31", date(2026, 12, 31)),
        ("+3d", date(2026, 11, 30)),
        ("+12h", datetime.fromisoformat("2026-11-28T01:30:00+01:00")),
        ("2026-12-31t18:00z", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        (LAST, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_value(text: str, value: date) -> None:
    assert parse(text, ahead=True).value(NOW, BERLIN) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", "'yesterday' is not a date: write 2026-12-31, or 2026-12-31T18:00:00+01:00, or +3d or +12h"),
        ("2026-12-31T18:00", "2026-12-31T18:00 has no offset from UTC: write 2026-12-31T18:00Z, or "),
        *(
            (text, f"{text} is not a date: there is no such day, time or offset")
            for text in ("2026-02-30", "2026-13-01", "0000-01-01", "2027-01-01T25:00Z", "2027-01-01T00:00:00+25:00")
        ),
        *(
            (text, f"{text} is later than the year 9999")
            for text in ("+2990000d", "+99999999h", "+999999999999999999d", "9999-12-31T23:59:59-01:00")
        ),
    ],
)
def test_no_moment(text: str, message: str) -> None:
    with pytest.raises(DateRejected) as rejected:
        parse(text, ahead=True).moment(NOW, BERLIN)
    assert str(rejected.value).startswith(message)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_last_moment_is_one_in_every_zone(name: str) -> None:
    last = datetime.fromisoformat(LAST)
    assert instant(last, zone(name)) == last
    assert parse(LAST).moment(NOW, zone(name)) == last
    assert end(last, zone(name)).instant == last
    assert end(date(9999, 12, 31), zone(name)).instant is None


def test_the_last_moment_can_be_asked_about(run: Run) -> None:
    with open("accounts.toml", "w", encoding="utf-8") as file:
        file.write(
            'version = 1\n[server]\ntime_zone = "Europe/Berlin"\n[accounts."a@x.example"]\npop = true\n'
            "expires = 2099-12-31\n"
        )
    for command in (
        "check a@x.example pop ::1",
        "who pop",
        "account list",
        "temporary list",
        "account show a@x.example",
    ):
        at = ["--at", LAST] if command.startswith(("check", "who")) else []
        assert run("--file", "accounts.toml", *command.split(), *at).status in (0, 1), command
    assert run("--file", "accounts.toml", "account", "expire", "a@x.example", "--at", LAST).status == 0
    shown = run("--file", "accounts.toml", "account", "show", "a@x.example")
    assert "expires\tat 31 Dec 9999 23:59" in shown.out
