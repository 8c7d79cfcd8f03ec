"""The results as a page: one row for each bar.

Promises: a ratio is the median of the rounds' own ratios, as a machine that slows down slows both sides of a round.
Not promised: the same numbers twice.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from statistics import median, quantiles
from typing import Any, NamedTuple

PACKAGES = ("typer", "tomli", "tomlkit", "cryptography", "cedarpy", "casbin", "tomlrt", "yq")
_HEAD = """\
# Performance

Written by `make bench`, which fails if a limit is not met; do not edit. All numbers are from one machine, and those of a row from one
run. On other machines only the ratios are comparable. A row without a limit is only a comparison with another program.

"""
_FOOT = """
The two sides of a row ran alternately, A B A B. Their numbers are medians over all rounds. *Ratio* is the median of the
rounds' own ratios; it differs slightly from the ratio of the two medians if the machine became faster or slower in between. The
last column is the range of the middle half of these ratios.

* The stores are synthetic: departments with headings, templates, accounts of mixed kinds, comments. Questions are spread evenly over
  the accounts. Nearly all IP addresses differ, one in ten is IPv6, a few of these are IPv4-mapped, and a few questions are about
  unknown accounts. The generator is `bench/stores.py`.
* `check`, `account show`, and one toggle in 10 accounts: whole processes of the same Python; mailpolicy is run by its console script.
  A denial also looks up the line of the key that decided, `account show` those of all keys. Each toggle changes the file, with lock,
  proof and sync. Bare Python runs an empty file. The loop's peer answers with the same code, but is not given the short way
  around Typer.
* `check --batch`, after start-up: the process that answers all questions into a file, less the process that answers one. The bare
  loop has the IP addresses separated and in memory before its clock starts, and does nothing with the results.
* Cedar gets its best case: policies and accounts are parsed and templates resolved beforehand, requests have the form that is fastest
  for cedarpy and come in calls of 2 000, and only these calls are timed. It answers the first 20 000 questions, with the same
  answers as mailpolicy.
* `pop on` / `pop off` in 10 000 accounts: whole processes; each run changes the file. The peer neither locks, proves nor syncs.
  In the end both files have the same content.
* Warm index, first `check`, `--all`: whole processes. Before each first `check` the file is rewritten; before each `pop off --all`
  the original store, which has no index, is restored. One toggle alternates between on and off; its peers neither lock, prove nor
  sync (`sqlite3` does sync), and in the end their files have the same content. Casbin has one rule per protocol and is given the
  resolved switches of the account; its answers and Cedar's equal mailpolicy's.
* `validate`: the peer's text is in memory before its clock starts. Its number is the median of five loads in a separate process, with
  Python's default garbage collection.
* `diff`: like `validate`. mailpolicy reads and compares two texts, the peer reads one; mailpolicy also looks up the lines of the keys
  that caused the changes.
* `replay`: like `check --batch`, with a report of every account that would be refused, which is written within the measured time.
* Secrets out of the sealed file: both sides in separate processes, after all imports, medians of several runs. The bare loop has
  nonces, texts and names in memory before its clock starts; mailpolicy finds the key, reads and decrypts the file, and returns text by
  user name.
* `smart-host set`, `print-password`: whole processes, on a store of a few accounts. A `set` locks, reads the whole file, rewrites it,
  reads it back, and syncs.
"""


class Bar(NamedTuple):
    """One promise and how it was measured: round by round mailpolicy's seconds (or rate) and the peer's."""

    what: str
    limit: float | None  # None: no promise, only put beside
    at_most: bool  # else at least
    rounds: Sequence[tuple[float, float]]
    peer: str
    show: Callable[[float], str]
    swapped: bool = False  # the ratio is the peer's number to mailpolicy's: so many times faster

    @property
    def wanted(self) -> str:
        """The bar in words."""
        if self.limit is None:
            return "beside"
        return f"at {'most' if self.at_most else 'least'} {self.limit:g}"

    @property
    def medians(self) -> tuple[float, float]:
        """Mailpolicy's median and the peer's."""
        return median(ours for ours, _ in self.rounds), median(theirs for _, theirs in self.rounds)

    @property
    def ratio(self) -> float:
        """The measured ratio."""
        return median(self._ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """Between which ratios the middle half of the rounds lay."""
        low, _, high = quantiles(self._ratios, n=4, method="inclusive")
        return low, high

    @property
    def met(self) -> bool:
        """Whether the promise was kept."""
        if self.limit is None:
            return True
        return self.ratio <= self.limit if self.at_most else self.ratio >= self.limit

    @property
    def _ratios(self) -> list[float]:
        return [theirs / ours if self.swapped else ours / theirs for ours, theirs in self.rounds]


def milliseconds(seconds: float) -> str:
    """`81.2 ms`, `9.87 s`."""
    return f"{1000 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def mebibytes(size: float) -> str:
    """`20.5 MiB`."""
    return f"{size / (1 << 20):.1f} MiB"


def rate(per_second: float) -> str:
    """`204 000 a second`."""
    return f"{spaced(round(per_second, -3))} a second"


def spaced(number: float) -> str:
    """`10 000`."""
    return f"{number:,.0f}".replace(",", " ")


SHOWN: dict[str, Callable[[float], str]] = {show.__name__: show for show in (milliseconds, mebibytes, rate)}


def kept(bars: Iterable[Bar]) -> list[dict[str, Any]]:
    """Measured rows, as they are kept until all are there."""
    return [{**bar._asdict(), "show": bar.show.__name__} for bar in bars]


def taken_up(rows: Iterable[dict[str, Any]]) -> list[Bar]:
    """The reverse of `kept`."""
    return [Bar(**{**row, "show": SHOWN[row["show"]]}) for row in rows]


def page(bars: Iterable[Bar]) -> str:
    """The whole page, in Markdown."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return "".join(
        (
            _HEAD,
            f"{python} on {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs; {versions}.\n\n",
            "| measured | limit | ratio | met | mailpolicy | peer | the peer | rounds | middle half |\n",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
            *map(_row, bars),
            _FOOT,
        )
    )


def _row(bar: Bar) -> str:
    low, high = bar.spread
    cells = (
        bar.what,
        bar.wanted,
        f"**{bar.ratio:.3f}**",
        "-" if bar.limit is None else "yes" if bar.met else "**no**",
        *map(bar.show, bar.medians),
        bar.peer,
        str(len(bar.rounds)),
        f"{low:.2f} to {high:.2f}",
    )
    return f"| {' | '.join(cells)} |\n"
