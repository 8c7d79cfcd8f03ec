"""Rules about dates: when an account ends, and how long an exception stands."""

from __future__ import annotations

from mailpolicy.diagnostics import ERROR, HINT
from mailpolicy.diagnostics.rules.rule import Rule

DATES = {
    "MP070": Rule(
        ERROR,
        "date-time without an offset",
        "add the offset from UTC, or write only the date",
        meaning="A date-time such as `2026-10-25T02:30:00` is another moment in each time zone, and when summer time ends "
        "it comes twice. With an offset it is one moment; a date alone is a whole day in `server.time_zone`.",
        example="""\
version = 1

[accounts."alice@example.com"]
pop = true

[accounts."alice@example.com".temporary]
until = 2026-12-04T18:00:00
pop = false
""",
        wrong="18:00:00\n",
        right="18:00:00+01:00\n",
    ),
    "MP071": Rule(
        ERROR,
        "unknown time zone",
        "write an IANA name, such as `Europe/Berlin`",
        meaning="Dates are days in this time zone, so a misspelt one would move the end of every date. The names are those "
        "of the system's time zone database (the package tzdata).",
        example="""\
version = 1

[server]
time_zone = "Europe/Berlim"
""",
        wrong="Berlim",
        right="Berlin",
    ),
    "MP072": Rule(
        ERROR,
        "exception without an end",
        "write `until`, the last day of the exception, or move its switches to the account",
        meaning="A table `temporary` holds switches that apply instead of the account's own until a day is over. Without "
        "`until` nobody can tell whether the day was forgotten.",
        example="""\
version = 1

[accounts."alice@example.com".temporary]
pop = true
""",
        wrong=".temporary]",
        right="]",
    ),
    "MP073": Rule(
        HINT,
        "a date",
        "nothing, or remove what is over: `mailpolicy temporary end --over`",
        meaning="From this moment on the file means something else, without an edit. `mailpolicy temporary list` shows "
        "all such dates in order of time, and `--over` those that have passed. Shown with `--hints`.",
        example="""\
version = 1

[accounts."alice@example.com"]
pop = true
expires = 2099-12-31
""",
        wrong="expires = 2099-12-31\n",
        right="",
    ),
    "MP074": Rule(
        HINT,
        "exception without a switch",
        "remove the table, or write a switch into it",
        meaning="A table `temporary` without a switch changes nothing. Shown with `--hints`.",
        example="""\
version = 1

[accounts."alice@example.com"]
pop = true

[accounts."alice@example.com".temporary]
until = 2099-12-31
""",
        wrong='\n[accounts."alice@example.com".temporary]\nuntil = 2099-12-31\n',
        right="",
    ),
}
